"""What is kept between calls: large results and receipts of writes."""

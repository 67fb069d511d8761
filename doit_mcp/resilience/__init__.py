"""What keeps one caller or one failing upstream from delaying others."""

"""Services and SKUs of Amazon Web Services: SKU ids are usage types, and most descriptions contain the unit price."""

from __future__ import annotations

from .aws_infrastructure import COMPUTE, STORAGE, aws_service
from .estate_types import MonthDay, Sku

BEDROCK_CLAUDE = "Claude Sonnet 4.5 (Amazon Bedrock Edition)"

DATA = (
    aws_service(
        "AmazonRedshift",
        "Amazon Redshift",
        "Redshift",
        Sku(
            "Node:ra3.xlplus",
            "${price} per Redshift RA3.xlplus Compute Node-hour",
            "Hrs",
            1_086_000,
            13.0,
            team="data",
            month_end=0.35,
        ),
    ),
    aws_service(
        "AWSGlue",
        "AWS Glue",
        "Glue",
        Sku(
            "ETL-DPU-Hour",
            "${price} per Data Processing Unit-Hour",
            "DPU-Hour",
            440_000,
            6.5,
            team="data",
            month_end=0.4,
        ),
    ),
    aws_service(
        "AmazonAthena",
        "Amazon Athena",
        "Athena",
        Sku("DataScannedInTB", "${price} per Terabyte for DataScannedInTB", "Terabytes", 5_000_000, 4.0, team="data"),
    ),
    aws_service(
        "AmazonMSK",
        "Amazon Managed Streaming for Apache Kafka",
        "MSK",
        Sku("Kafka.m5.large", "${price} per hour for Kafka.m5.large", "hours", 210_000, 7.5),
    ),
    aws_service(
        "AmazonKinesis",
        "Amazon Kinesis",
        "Kinesis",
        Sku("Storage-ShardHour", "${price} per Shard-hour", "ShardHour", 15_000, 3.0),
    ),
    aws_service(
        "AmazonES",
        "Amazon OpenSearch Service",
        "OpenSearch",
        Sku("ESInstance:r6g.large", "${price} per r6g.large.search instance hour", "Hrs", 167_000, 6.5),
    ),
)

AI = (
    aws_service(
        "AmazonBedrock",
        "Amazon Bedrock",
        "Bedrock",
        Sku("USE1-NovaPro-input-tokens", "${price} per 1K input tokens for Nova Pro", "1K tokens", 800, 3.6, team="ai"),
        Sku(
            "USE1-NovaPro-output-tokens",
            "${price} per 1K output tokens for Nova Pro",
            "1K tokens",
            3_200,
            4.8,
            team="ai",
        ),
        Sku(
            "USE1-TitanEmbedTextV2-input-tokens",
            "${price} per 1K input tokens for Titan Text Embeddings V2",
            "1K tokens",
            20,
            0.9,
            team="ai",
        ),
    ),
    aws_service(
        "8tolx3ivu1ls6l3p7y8xb2vcs",
        BEDROCK_CLAUDE,
        "Claude Sonnet 4.5",
        Sku(
            "USE1-ClaudeSonnet4.5-input-tokens",
            "${price} per 1K input tokens for Claude Sonnet 4.5",
            "1K tokens",
            3_000,
            7.0,
            team="ai",
            launched=MonthDay(5, 9),
        ),
        Sku(
            "USE1-ClaudeSonnet4.5-output-tokens",
            "${price} per 1K output tokens for Claude Sonnet 4.5",
            "1K tokens",
            15_000,
            9.5,
            team="ai",
            launched=MonthDay(5, 9),
        ),
        Sku(
            "USE1-ClaudeSonnet4.5-cache-read-input-token-count",
            "${price} per 1K cache read input tokens for Claude Sonnet 4.5",
            "1K tokens",
            300,
            1.1,
            team="ai",
            launched=MonthDay(2, 20),
        ),
    ),
    aws_service(
        "AmazonSageMaker",
        "Amazon SageMaker",
        "SageMaker",
        Sku(
            "Host:ml.g5.xlarge",
            "${price} for Host ml.g5.xlarge per hour",
            "Hrs",
            1_408_000,
            11.0,
            team="ai",
            launched=MonthDay(0, 2),
        ),
    ),
)

OPERATIONS = (
    aws_service(
        "AmazonCloudWatch",
        "AmazonCloudWatch",
        "CloudWatch",
        Sku("DataProcessing-Bytes", "${price} per GB custom log data ingested", "GB", 500_000, 7.0, core=True),
        Sku("CW:MetricMonitorUsage", "${price} per metric-month for the first 10,000 metrics", "Metrics", 300_000, 2.0),
    ),
    aws_service(
        "AmazonGuardDuty",
        "Amazon GuardDuty",
        "GuardDuty",
        Sku("PaidEventsAnalyzed", "${price} per 1M events analyzed", "1M Events", 4_000_000, 2.4, tagged=False),
    ),
    aws_service(
        "AWSCloudTrail",
        "AWS CloudTrail",
        "CloudTrail",
        Sku("PaidEventsRecorded", "${price} per 100,000 events recorded", "100K Events", 2_000_000, 0.9, tagged=False),
    ),
    aws_service(
        "AmazonRoute53",
        "Amazon Route 53",
        "Route 53",
        Sku("HostedZone", "${price} per Hosted Zone for the first 25 Hosted Zones", "HostedZone", 500_000, 1.0),
    ),
    aws_service(
        "awskms",
        "AWS Key Management Service",
        "KMS",
        Sku("KMS-Keys", "${price} per customer managed KMS key version", "Keys", 1_000_000, 0.7),
    ),
    aws_service(
        "AWSSecretsManager",
        "AWS Secrets Manager",
        "Secrets Manager",
        Sku("AWSSecretsManager-Secrets", "${price} per Secret", "Secrets", 400_000, 0.6),
    ),
    aws_service(
        "7a4xk9n0b2jq",
        "Datadog Pro",
        "Datadog Pro",
        Sku(
            "MP:datadog-pro-Units",
            "AWS Marketplace software usage|us-east-1|Datadog Pro",
            "Units",
            1_000_000,
            9.0,
            tagged=False,
            lag_days=2,
        ),
    ),
)

AWS_SERVICES = (*COMPUTE, *STORAGE, *DATA, *AI, *OPERATIONS)

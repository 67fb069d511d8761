"""Services and SKUs of Amazon Web Services for compute, networks and storage."""

from __future__ import annotations

from .estate_types import AWS, Commitment, MonthDay, PriceChange, Service, Sku

NAMESPACES = (("checkout", 0.38), ("catalog", 0.27), ("search", 0.21), ("kube-system", 0.14))

FARGATE_PLANS = Commitment("compute", 15, is_owned=False)


def aws_service(id: str, description: str, short: str, *skus: Sku) -> Service:
    """A service of Amazon Web Services."""
    return Service(AWS, id, description, short, skus)


COMPUTE = (
    aws_service(
        "AmazonEC2",
        "Amazon Elastic Compute Cloud",
        "EC2",
        Sku(
            "BoxUsage:m6i.xlarge",
            "${price} per On Demand Linux m6i.xlarge Instance Hour",
            "Hrs",
            192_000,
            70.0,
            core=True,
            change=PriceChange(MonthDay(1, 1), 1.04),
            commitment=Commitment("compute", 27),
        ),
        Sku(
            "BoxUsage:c6i.2xlarge",
            "${price} per On Demand Linux c6i.2xlarge Instance Hour",
            "Hrs",
            340_000,
            21.0,
            commitment=Commitment("compute", 28, is_owned=False),
        ),
        Sku(
            "BoxUsage:m6i.2xlarge",
            "${price} per On Demand Linux m6i.2xlarge Instance Hour",
            "Hrs",
            384_000,
            24.0,
            namespaces=NAMESPACES,
            commitment=Commitment("compute", 27, is_owned=False),
        ),
        Sku("SpotUsage:m6i.xlarge", "m6i.xlarge Linux/UNIX Spot Instance-hour", "Hrs", 71_500, 6.0),
        Sku("EBS:VolumeUsage.gp3", "${price} per GB-month of General Purpose (gp3)", "GB-Mo", 80_000, 20.0, core=True),
        Sku("EBS:SnapshotUsage", "${price} per GB-Month of snapshot data stored", "GB-Mo", 50_000, 6.0, tagged=False),
        Sku("NatGateway-Hours", "${price} per NAT Gateway Hour", "Hrs", 45_000, 3.2, tagged=False),
        Sku(
            "NatGateway-Bytes",
            "${price} per GB Data Processed by NAT Gateways",
            "GB",
            45_000,
            8.5,
            core=True,
            tagged=False,
        ),
    ),
    aws_service(
        "AWSLambda",
        "AWS Lambda",
        "Lambda",
        Sku(
            "Lambda-GB-Second",
            "AWS Lambda - Total Compute",
            "Lambda-GB-Second",
            17,
            9.0,
            commitment=Commitment("compute", 12),
        ),
    ),
    aws_service(
        "AmazonECS",
        "Amazon Elastic Container Service",
        "ECS",
        Sku(
            "Fargate-vCPU-Hours:perCPU",
            "${price} per vCPU hour for AWS Fargate",
            "hours",
            40_480,
            7.0,
            commitment=FARGATE_PLANS,
        ),
        Sku("Fargate-GB-Hours", "${price} per GB hour for AWS Fargate", "hours", 4_445, 2.0, commitment=FARGATE_PLANS),
    ),
    aws_service(
        "AmazonEKS",
        "Amazon Elastic Kubernetes Service",
        "EKS",
        Sku("AmazonEKS-Hours:perCluster", "${price} per hour for each Amazon EKS cluster", "Hours", 100_000, 2.2),
    ),
    aws_service(
        "AWSELB",
        "Elastic Load Balancing",
        "Elastic Load Balancing",
        Sku("LoadBalancerUsage", "${price} per Application LoadBalancer-hour", "Hrs", 22_500, 2.8),
        Sku("LCUUsage", "${price} per used Application load balancer capacity unit-hour", "LCU-Hrs", 8_000, 3.6),
    ),
    aws_service(
        "AWSDataTransfer",
        "AWS Data Transfer",
        "Data Transfer",
        Sku(
            "DataTransfer-Out-Bytes",
            "${price} per GB - first 10 TB / month data transfer out",
            "GB",
            90_000,
            11.0,
            core=True,
            tagged=False,
        ),
        Sku("DataTransfer-Regional-Bytes", "${price} per GB - regional data transfer", "GB", 10_000, 3.4, tagged=False),
    ),
    aws_service(
        "AmazonCloudFront",
        "Amazon CloudFront",
        "CloudFront",
        Sku("EU-DataTransfer-Out-Bytes", "${price} per GB - first 10 TB / month data transfer out", "GB", 85_000, 8.0),
    ),
)

STORAGE = (
    aws_service(
        "AmazonRDS",
        "Amazon Relational Database Service",
        "RDS",
        Sku(
            "InstanceUsage:db.r7g.large",
            "${price} per RDS db.r7g.large Single-AZ instance hour",
            "Hrs",
            260_000,
            44.0,
            core=True,
            # Database Savings Plans cover instances from the seventh generation on.
            commitment=Commitment("database", 20),
            replaces="InstanceUsage:db.r6g.large",
        ),
        Sku("RDS:GP3-Storage", "${price} per GB-month of provisioned gp3 storage", "GB-Mo", 115_000, 9.0, core=True),
        Sku("RDS:ChargedBackupUsage", "${price} per additional GB-month of backup storage", "GB-Mo", 95_000, 2.5),
    ),
    aws_service(
        "AmazonS3",
        "Amazon Simple Storage Service",
        "S3",
        Sku(
            "TimedStorage-ByteHrs",
            "${price} per GB - first 50 TB / month of storage used",
            "GB-Mo",
            23_000,
            19.0,
            core=True,
            change=PriceChange(MonthDay(0, 1), 0.92),
        ),
        Sku(
            "Requests-Tier1",
            "$0.005 per 1,000 PUT, COPY, POST, or LIST requests",
            "Requests",
            5,
            5.0,
            core=True,
        ),
        Sku("TimedStorage-GlacierByteHrs", "${price} per GB-Month of storage used in Glacier", "GB-Mo", 3_600, 2.4),
    ),
    aws_service(
        "AmazonDynamoDB",
        "Amazon DynamoDB",
        "DynamoDB",
        Sku("ReadCapacityUnit-Hrs", "${price} per hour for units of read capacity", "ReadCapacityUnit-Hrs", 130, 4.0),
        Sku(
            "WriteCapacityUnit-Hrs", "${price} per hour for units of write capacity", "WriteCapacityUnit-Hrs", 650, 5.0
        ),
    ),
    aws_service(
        "AmazonElastiCache",
        "Amazon ElastiCache",
        "ElastiCache",
        Sku("NodeUsage:cache.r6g.large", "${price} per R6g Large Cache node-hour running Redis", "Hrs", 206_000, 8.0),
    ),
    aws_service(
        "AWSBackup",
        "AWS Backup",
        "Backup",
        Sku("WarmStorage-ByteHrs-EBS", "${price} per GB-Month of EBS warm backup storage", "GB-Mo", 50_000, 2.2),
    ),
)

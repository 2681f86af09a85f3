"""What the workers of this process count, for Prometheus."""

from prometheus_client import Counter, Gauge, Histogram

STARTED = Counter("homestretch_jobs_started_total", "Attempts that began.", ["kind"])
ENDED = Counter(
    "homestretch_jobs_ended_total",
    "Attempts that ended, by outcome: done, retried, dead, lost (to another worker or called off), released.",
    ["kind", "outcome"],
)
RUNNING = Gauge("homestretch_jobs_running", "Attempts in progress.", ["kind"])
OVERDUE = Gauge(
    "homestretch_jobs_overdue_seconds",
    "How long the longest waiting job could have run already, when this worker last looked.",
)
SECONDS = Histogram(
    "homestretch_job_seconds",
    "How long attempts took.",
    ["kind"],
    buckets=(0.05, 0.25, 1, 5, 15, 60, 300, 1200),
)

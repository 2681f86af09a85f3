"""The front door: the HTTP API, its documentation, and the command line.

Controllers decode a request, make one call to a use case of another room, and encode what it returns. What is
the same for every route stands beside them, once each: problem details, idempotency keys, entity tags,
pagination, request logs and health.
"""

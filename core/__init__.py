"""The shared kernel: settings, database, tenancy, ids and clock, errors, events, jobs, objects, crypto,
audit.

Every room stands on this one, and it imports none of them. The door to stored data is `core.access.Access`:
one actor's reach into one organization. A `Repository` accepts nothing else, so that a query without a tenant
cannot be written by accident.
"""

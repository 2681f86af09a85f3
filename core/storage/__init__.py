"""Encrypted objects (videos, landmark tracks) in chunks, and resumable uploads into them.

`core.storage.objects` reads, writes and deletes objects, `core.storage.uploads` takes them in over many
requests. Plaintext exists in memory only. What was acknowledged is on disk, and its ledger entry on a
majority of MongoDB's members.
"""

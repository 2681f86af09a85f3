"""Engagement: how far a patient keeps up with the program, and a nudge when they fall behind.

Compliance is computed from the evidence in `care` by one documented formula (`engagement.compliance`,
docs/compliance.md). Nudges leave through the notification outbox (`engagement.notifications`).
"""

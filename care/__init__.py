"""Care: what a physical therapist prescribes and what the patient does with it.

Patients, episodes of care, the exercise library (`care.exercises`), home exercise programs, exercise sessions
with their evidence, and outcome measures. The room's exceptions are in `care.errors`.
"""

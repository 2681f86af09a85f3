"""Who people are to an organization, how they prove it, and what they may do.

Organizations and their locations, staff and their roles, the credentials of staff and patients, sign-in
sessions, invitations, emergency access, and the policy that every route is checked against. A patient is
known here by id only: who they are beyond that is care's to know.
"""

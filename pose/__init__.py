"""From a filmed exercise to evidence: video → landmarks → joint angles → repetitions → findings → score.

`pose.engine` is the way in. It is a numeric engine: it knows no database, no HTTP and no patient. Untrusted
video is only ever decoded in a confined child process (`pose.sandbox`).
"""

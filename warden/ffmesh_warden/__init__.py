"""The one place that starts programs.

`handle` is the owner's side (asyncio), `process` is the small process that does the work. Nothing is imported
here: the warden process loads this package too, and asyncio alone would double the time of its start.
"""

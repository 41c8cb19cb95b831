"""The agency's back office: log-in, accounts, billing and the help desk, as a FastAPI application.

It holds no rule of its own. What may be done is asked of Sublet; what is kept here is what Sublet does not keep: passwords, mails, tickets.
"""

"""A desk that takes questions, hands them to a small agent, and streams what it answers.

`desk.main` is the web service, `desk.worker` the queue's consumer; both are configured by
`desk.settings` alone, meet in PostgreSQL (`desk.questions`) and Redis (`desk.progress`), and
know the agent only through `desk.agent.think`.
"""

"""An agent of a key manager (KM) that reports to a QKDN manager.

Plain Python 3, standard library only, written from the status protocol's page alone. The modules:

- ``messages``: the protocol's messages as dictionaries and lines; nothing else knows JSON keys.
- ``numbering``: the agent's memory: ``incarnation``, ``sequence`` and the reports nobody has confirmed yet, in a file.
- ``key_store``: what is reported: a key store that fills and drains.
- ``conversation``: the rules of one connection, as a state machine without I/O.
- ``triggers``: when a subscription has something to tell.
- ``serving``: the subscriptions of others at this agent, and their notifications.
- ``watching``, ``watcher``, ``watch_options``: the other way round: a user network manager that subscribes at the manager.
- ``state_file``, ``tls``: a file that survives, and TLS as the protocol wants it.
- ``backoff``: how long to wait before the next attempt.
- ``agent``: connects, moves lines, keeps time.
"""

"""Benchmark of this server, the installed peers and bare aiohttp, side by side on the same work.

Run it with ``scripts/bench --help``. Modules, from the bottom: ``machine`` (cores, CPU time, memory), ``figures``
(medians and ratios), ``inputs`` (keys, tokens, tools), ``wire`` and ``client`` (MCP over HTTP, client side),
``callers``, ``load``, ``probe`` and ``fairness`` (run on the load's core), ``upstream`` and ``minimal_servers``
(servers to compare with), ``servers``, ``entries``, ``growth`` and ``suites`` (servers and their workloads), ``trials`` (one
measurement), ``rounds`` (interleaving), ``goals`` and ``report``.
"""

"""The benchmark: this server, the peers that are installed and bare aiohttp, side by side on the same work.

``scripts/bench --help`` is the way in. Modules, from the bottom: ``machine`` (cores, CPU time, memory), ``figures``
(medians and ratios), ``inputs`` (keys, tokens, tools), ``wire`` and ``client`` (MCP over HTTP, the client's side),
``callers``, ``load``, ``probe`` and ``fairness`` (what runs on the load's core), ``upstream`` and ``limits`` (servers
of ours to compare with), ``servers``, ``entries``, ``growth`` and ``suites`` (who is measured at what), ``trials`` (one
measurement), ``rounds`` (interleaving), ``goals`` and ``report``.
"""

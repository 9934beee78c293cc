"""How many videos a day need which machines, and what they cost.

::

    measured    the committed results -> seconds of each stage, with their source
    model       seconds, sizes, prices -> videos an hour, cost, storage, network
    queueing    closed forms that the simulation is checked with
    workload    when videos come, and how long each stage works on one
    simulate    read -> answer -> finish with queues, failures and more machines
    plan        the tables of docs/scaling.md, from a thousand to ten million a day
    check       a real batch against what the simulation says of it
    cpu         processor seconds of reading and cutting
"""

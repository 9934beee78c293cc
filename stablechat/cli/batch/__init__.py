"""``batch``: thousands of videos, here or on a Ray cluster (docs/batch.md).

::

    inputs, manifests, storage   what is to be answered, and where it lies
    jobs                         the types that go from stage to stage
    stages                       read -> answer -> finish, the same on every engine
    local_engine, ray_engine     who runs the stages; only ``ray_engine`` imports Ray
    results                      the file that is added to, and gone on with
    running, command             a run from its beginning to its end
"""

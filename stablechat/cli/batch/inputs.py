"""All that a batch is to answer: from names, folders, patterns, lists and addresses."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

from stablechat.cli.answer_folders import video_facts
from stablechat.cli.batch.jobs import BatchInput, digest_of
from stablechat.cli.batch.manifests import Row, is_manifest, read_manifest
from stablechat.cli.batch.storage import (
    is_remote,
    list_remote,
    local_path,
    normalised,
)
from stablechat.cli.texts import one_line
from stablechat.cli.videos import VIDEO_ENDINGS, expand_names
from stablechat.errors import InputError


def collect_inputs(names: Sequence[str], queries: Sequence[str]) -> list[BatchInput]:
    """Every question about every video, each once, in the order they were named.

    Args:
        names: Files, folders, patterns, lists and remote addresses.
        queries: What to look for where a list does not say.

    Raises:
        InputError: A name means nothing, a list is damaged, or a video has no query.
        StorageError: Storage does not answer.
    """
    found: dict[tuple[str, str], BatchInput] = {}
    owners: dict[str, BatchInput] = {}
    for row in _rows(names):
        video = normalised(row.video)
        for query in _queries_of(row, queries):
            name = row.id or digest_of(video, query)
            asked = BatchInput(name, video, query)
            known = found.setdefault((video, query), asked)
            _check_id(owners.setdefault(name, known), known, asked)
    return list(found.values())


def _rows(names: Sequence[str]) -> Iterator[Row]:
    for name in names:
        if is_manifest(name):
            yield from read_manifest(normalised(name))
        elif is_remote(name):
            yield from map(Row, list_remote(name, VIDEO_ENDINGS))
        else:
            yield from (Row(os.fspath(p)) for p in expand_names([local_path(name)]))


def _queries_of(row: Row, queries: Sequence[str]) -> Sequence[str]:
    if row.query is not None:
        return (row.query,)
    if not queries:
        raise InputError(
            f"There is nothing to look for in {one_line(row.video)}; give --query, "
            "--queries, or a list with a query for each video."
        )
    if row.id is not None and len(queries) > 1:
        raise InputError(
            f"The id {row.id!r} stands for several queries; give each row its query."
        )
    return queries


def _check_id(owner: BatchInput, known: BatchInput, asked: BatchInput) -> None:
    if known.id != asked.id:
        raise InputError(
            f"{one_line(asked.video)} with the query {asked.query!r} has two ids: "
            f"{known.id!r} and {asked.id!r}."
        )
    if owner != known:
        raise InputError(f"The id {asked.id!r} stands for more than one input.")


def facts_of(inputs: Sequence[BatchInput]) -> Mapping[str, Mapping[str, int]]:
    """What tells whether files here are still the same, by address.

    Those that can't be looked at have none; reading them says why.
    """
    facts = {}
    for video in dict.fromkeys(each.video for each in inputs):
        if not is_remote(video):
            try:
                known = video_facts(local_path(video))
            except InputError:
                continue
            facts[video] = {name: known[name] for name in ("size_bytes", "modified_ns")}
    return facts

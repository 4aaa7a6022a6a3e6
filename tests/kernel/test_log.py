import asyncio
import threading

import pytest

from zhongshu.kernel.log import Entry, GroupCommitter, LogFull, LogReader, LogWriter, RefusedStore


def entry(n, size=10):
    return Entry("readings", bytes([n % 256]) * size, 1_000_000 + n, f"source-{n}")


def test_entries_come_back_in_order_and_by_size(tmp_path):
    writer, reader = LogWriter(tmp_path / "log" / "a.sqlite3"), LogReader(tmp_path / "log" / "a.sqlite3")
    assert writer.append([entry(n) for n in range(5)]) == 5
    first = reader.read(0, max_bytes=25)
    assert [e.seq for e in first] == [1, 2, 3]
    assert first[1].body == b"\x01" * 10 and first[1].source == "source-1" and first[1].received_at_us == 1_000_001
    assert [e.seq for e in reader.read(3)] == [4, 5]
    writer.close(), reader.close()


def test_a_sequence_number_is_never_used_again_after_trimming(tmp_path):
    writer, reader = LogWriter(tmp_path / "a.sqlite3"), LogReader(tmp_path / "a.sqlite3")
    writer.append([entry(n) for n in range(500)])
    assert reader.trim(500, step=100) == 500
    assert reader.figures().entries == 0 and reader.figures().oldest_at_us is None
    writer.close()
    writer = LogWriter(tmp_path / "a.sqlite3")
    assert writer.append([entry(1)]) == 501
    assert reader.figures().entries == 1 and reader.figures().oldest_at_us == 1_000_001
    writer.close(), reader.close()


def test_a_repeated_key_writes_nothing_within_a_day_and_again_after_it(tmp_path):
    writer, reader = LogWriter(tmp_path / "a.sqlite3"), LogReader(tmp_path / "a.sqlite3")
    assert writer.append([entry(1)], key="k") == 1
    assert writer.append([entry(2)], key="k") == 1
    late = Entry("readings", b"x", 1_000_001 + 86_400_000_000, "s")
    assert writer.append([late], key="k") == 2
    assert len(reader.read(0)) == 2
    assert writer.forget_keys(late.received_at_us + 1) == 1
    writer.close(), reader.close()


def test_a_failed_transaction_leaves_nothing(tmp_path):
    from zhongshu.kernel.log import Submission

    writer, reader = LogWriter(tmp_path / "a.sqlite3"), LogReader(tmp_path / "a.sqlite3")

    def fail(connection):
        raise ValueError("no")

    with pytest.raises(ValueError):
        writer.append_group([Submission([entry(1)], "k")], within=fail)
    assert reader.read(0) == []
    assert writer.append([entry(1)], key="k") == 1
    writer.close(), reader.close()


def test_many_tasks_share_commits_and_each_learns_of_its_own(tmp_path):
    writer, reader = LogWriter(tmp_path / "a.sqlite3"), LogReader(tmp_path / "a.sqlite3")
    committer = GroupCommitter(writer)

    async def send():
        return await asyncio.gather(*(committer.append([entry(n)]) for n in range(300)))

    receipts = asyncio.run(send())
    seqs = [receipt.seq for receipt in receipts]
    assert sorted(seqs) == list(range(1, 301))
    by_seq = {e.seq: e.source for e in reader.read(0)}
    assert [by_seq[seq] for seq in seqs] == [f"source-{n}" for n in range(300)]
    committer.close(), writer.close(), reader.close()


class SlowWriter(LogWriter):
    """Holds its commits until it is let go."""

    def __init__(self, path):
        super().__init__(path)
        self.go, self.inside = threading.Event(), threading.Event()

    def append_group(self, group, within=None):
        self.inside.set()
        self.go.wait()
        return super().append_group(group, within)


def test_a_full_committer_refuses_at_once_or_lets_the_sender_wait(tmp_path):
    writer = SlowWriter(tmp_path / "a.sqlite3")
    committer = GroupCommitter(writer, max_pending_bytes=100)
    first = committer.submit([entry(1, 60)])
    writer.inside.wait()
    committer.submit([entry(2, 40)])
    with pytest.raises(LogFull):
        committer.submit([entry(3, 60)])

    async def send():
        task = asyncio.ensure_future(committer.append([entry(4, 60)]))
        await asyncio.sleep(0)
        assert not task.done()
        writer.go.set()
        return await task

    assert asyncio.run(send()).seq == 3
    assert first.result().seq == 1
    assert committer.pending_bytes == 0
    committer.close(), writer.close()


def test_a_log_the_pipeline_does_not_empty_is_full(tmp_path):
    writer = LogWriter(tmp_path / "a.sqlite3")
    writer.append([entry(1, 500_000)])
    committer = GroupCommitter(writer, max_log_bytes=100_000)
    with pytest.raises(LogFull, match="behind"):
        committer.submit([entry(2)])
    committer.close(), writer.close()


def test_refused_bodies_are_kept_bounded(tmp_path):
    store = RefusedStore(tmp_path / "a.sqlite3", max_entries=3, max_body=4)
    for n in range(5):
        store.keep(n, "src", f"reason {n}", "application/json", b"abcdef")
    kept = store.list_refused()
    assert [r.reason for r in kept] == ["reason 4", "reason 3", "reason 2"]
    assert kept[0].body == b"abcd" and kept[0].size == 6
    store.remove(kept[0].id)
    assert store.find_refused(kept[0].id) is None
    store.close()

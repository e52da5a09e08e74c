"""The one reader of IEMOCAP and of everything in its layout."""

import json
import re
import shutil

import pytest
from helpers import write_corpus

from train import corpus as corpora
from train.corpus import IEMOCAP_EXCITED, IEMOCAP_TABLE, read_corpus


def test_the_papers_table():
    """PAPER.md: 4,490 utterances, and the test-set sizes that its accuracies are fractions of."""
    sizes = [sum(IEMOCAP_TABLE[s].values()) for s in range(1, 6)]
    assert sizes == [942, 813, 1000, 793, 942]
    assert sum(sizes) == 4490
    assert sum(sizes) + sum(IEMOCAP_EXCITED.values()) == 5531
    # Figures of the paper's Tables 1 and 2 are k/N rounded to four digits for these N.
    for value, n in ((0.5860, 942), (0.7737, 813), (0.6770, 1000), (0.7654, 793), (0.7123, 942)):
        assert round(round(value * n) / n, 4) == value


def test_reads_the_built_in_corpus(smoke_corpus):
    corpus = read_corpus(smoke_corpus)
    assert len(corpus.utterances) == 100
    assert {u.speaker for u in corpus.utterances} == {f"{s}{x}" for s in range(1, 6) for x in "FM"}
    assert all(c == 5 for row in corpus.counts().values() for c in row.values())
    assert corpus.skipped["label exc"] == 5
    assert all(u.wav.is_file() and u.text and "XX" not in u.name for u in corpus.utterances)
    assert corpus.utterances == sorted(corpus.utterances, key=lambda u: u.name)


def test_merge_excited(smoke_corpus):
    corpus = read_corpus(smoke_corpus, merge_excited=True)
    assert len(corpus.utterances) == 105
    assert sum(row["hap"] for row in corpus.counts().values()) == 30


def full_iemocap(root):
    """Every label line of the full corpus's four classes and `exc`, with empty sound files."""
    for session, counts in IEMOCAP_TABLE.items():
        folder = root / f"Session{session}"
        name = f"Ses{session:02d}M_script01_1"
        lines, words, i = [], [], 0
        wavs = folder / "sentences" / "wav" / name
        wavs.mkdir(parents=True)
        for label, n in {**counts, "exc": IEMOCAP_EXCITED[session], "fru": 3}.items():
            for _ in range(n):
                turn = f"{name}_F{i:04d}"
                lines.append(f"[{i}.0000 - {i}.5000]\t{turn}\t{label}\t[2.5000, 2.5000, 2.5000]")
                words.append(f"{turn} [{i:03d}.0000-{i:03d}.5000]: Yes: [it] is]: so.")
                (wavs / f"{turn}.wav").touch()
                i += 1
        for kind, text in (("EmoEvaluation", lines), ("transcriptions", words)):
            (folder / "dialog" / kind).mkdir(parents=True)
            (folder / "dialog" / kind / f"{name}.txt").write_text("\r\n".join(text))
    return root


def test_the_full_corpus_is_held_against_the_papers_table(tmp_path):
    root = full_iemocap(tmp_path)
    corpus = read_corpus(root)
    assert len(corpus.utterances) == 4490
    assert corpus.utterances[0].text == "Yes: [it] is]: so."
    assert len(read_corpus(root, merge_excited=True).utterances) == 5531

    # One label less in session 3: refused, unless a part was asked for; then both tables are said.
    path = root / "Session3/dialog/EmoEvaluation/Ses03M_script01_1.txt"
    path.write_text("\n".join(path.read_text().splitlines()[1:]))
    with pytest.raises(ValueError, match="--allow-partial") as caught:
        read_corpus(root)
    assert re.search(r"found:.* 3 +239 .*expected:.* 3 +240 ", str(caught.value), re.DOTALL)
    partial = read_corpus(root, allow_partial=True)
    assert len(partial.utterances) == 4489
    assert "239" in partial.notes[0]
    assert "240" in partial.notes[0]


def test_a_part_of_the_built_in_corpus(smoke_corpus, tmp_path):
    root = tmp_path / "part"
    shutil.copytree(smoke_corpus, root)
    shutil.rmtree(root / "Session5")
    with pytest.raises(ValueError, match="not the whole corpus"):
        read_corpus(root)
    assert len(read_corpus(root, allow_partial=True).utterances) == 80
    (root / corpora.MANIFEST).write_text("{")
    with pytest.raises(ValueError, match="not a corpus manifest"):
        read_corpus(root)


def partial(root):
    return read_corpus(root, allow_partial=True)


def test_reads_the_tiny_corpus(corpus):
    assert len(partial(corpus).utterances) == 40


def labels_of(root):
    return root / "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"


def words_of(root):
    return root / "Session1/dialog/transcriptions/Ses01F_impro01.txt"


def test_quirks_are_tolerated(corpus):
    labels, words = labels_of(corpus), words_of(corpus)
    labels.write_bytes(
        b"% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\r\n\r\n"
        + labels.read_bytes().replace(b"\n", b"\r\n")
        + b"C-E2:\tNeutral;\t()\r\n"
    )
    (labels.parent / "._Ses01F_impro01.txt").write_bytes(b"\xff\xfe[1")
    (words.parent / "._Ses01F_impro01.txt").write_bytes(b"\xff\xfeSes")
    (labels.parent / "Categorical").mkdir()
    (labels.parent / "Categorical" / "x.txt").write_text("[1.0 - 2.0] broken")
    words.write_text(
        words.read_text() + "\nM: [LAUGHTER]\n\nSes01F_impro01_MXX1 [001.0000-002.0000]: no\n"
    )
    assert len(partial(corpus).utterances) == 40


def test_other_labels_are_counted(corpus):
    labels = labels_of(corpus)
    labels.write_text(labels.read_text().replace("\tang\t", "\txxx\t"))
    assert partial(corpus).skipped["label xxx"] == 2


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda t: t[: t.index("\thap")] + "\tha", "line 3: not a whole label line"),
        (lambda t: t.replace("[2.0, 2.0, 2.0]", "[2.0, 2", 1), "line 1: not a whole label line"),
        (lambda t: t.replace("\thap\t", "\thappy\t", 1), "line 3: label must be one of"),
        (lambda t: t + t.splitlines()[0] + "\n", "Ses01F_impro01_F000 is labelled twice"),
        (lambda t: t + "[99.0000 - 99.5000]\tSes01F_impro01_F099\tang\t[2.0, 2.0, 2.0]\n",
         "line 9: Ses01F_impro01_F099 has no words "),
    ],
)  # fmt: skip
def test_broken_labels_name_file_and_line(corpus, edit, words):
    labels = labels_of(corpus)
    labels.write_text(edit(labels.read_text()))
    with pytest.raises(ValueError, match=words) as caught:
        read_corpus(corpus)
    assert str(labels) in str(caught.value)


def test_broken_transcripts_name_file_and_line(corpus):
    path = words_of(corpus)
    path.write_text(path.read_text()[:-40])
    with pytest.raises(ValueError, match=r"line 8: not a whole transcript line") as caught:
        read_corpus(corpus)
    assert str(path) in str(caught.value)
    path.write_bytes(b"Ses01F_impro01_F000 [000.0000-001.0000]: ok\nSes \xff\n")
    with pytest.raises(ValueError, match="line 2: not UTF-8"):
        read_corpus(corpus)


def test_missing_sound(corpus):
    wav = sorted(corpus.rglob("*.wav"))[3]
    wav.unlink()
    with pytest.raises(ValueError, match=r"Ses01F_impro01_.* has no sound") as caught:
        read_corpus(corpus)
    assert str(wav) in str(caught.value)
    assert partial(corpus).skipped["sound missing"] == 1


def test_what_is_no_corpus(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_corpus(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="holds no Session1"):
        read_corpus(tmp_path)
    root = write_corpus(tmp_path / "c")
    shutil.rmtree(root / "Session2" / "dialog" / "transcriptions")
    with pytest.raises(ValueError, match="transcriptions is missing"):
        read_corpus(root)


def test_manifest_of_the_built_in_corpus_is_complete(smoke_corpus):
    manifest = json.loads((smoke_corpus / corpora.MANIFEST).read_text())
    assert manifest["utterances"] == 100
    assert set(manifest["counts"]) == {f"Session{s}" for s in range(1, 6)}

"""The evaluation programs on tiny random models: what they write, continue, share and refuse."""

from __future__ import annotations

import json

import pytest
import yaml
from chat_server import ChatServer
from programs_here import ROOT, run_program
from tiny_detectors import owl_folder
from tiny_families import folder, missing
from tiny_models import tokenizer, vqa_model, vsm_model
from vstar_folder import write_bench

from seal.evaluation.answer_scorers import SCORERS
from seal.evaluation.benchmark import BenchmarkRun
from seal.evaluation.named_tasks import TASK_NAMES
from seal.evaluation.score import ScoreRun
from seal.evaluation.search import SearchRun
from seal.evaluation.tables.published import TablesRun
from seal.inference.vicrop.config import ViCropConfig
from seal.models.files.save import save_model
from seal.schema import compose

CONF = ROOT / "conf"
COUNTS = {"attribute": 115, "spatial": 76, "overall": 191}  # questions of V*Bench


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("eval")
    save_model(folder / "vqa", vqa_model(), tokenizer().folder)
    save_model(folder / "vsm", vsm_model(), tokenizer().folder)
    write_bench(folder / "bench")
    return folder


def benchmark(place, out, *more):
    return run_program(
        "eval/benchmark",
        f"benchmark={place / 'bench'}",
        f"vqa={place / 'vqa'}",
        f"vsm={place / 'vsm'}",
        f"out={out}",
        "device=cpu",
        *more,
    )


def protocol_of(out):
    """What config.yaml says."""
    return yaml.safe_load((out / "config.yaml").read_text())["protocol"]


@pytest.fixture(scope="module")
def done(place):
    out = place / "benchmark"
    assert benchmark(place, out, "systems=[none,guided,oracle]", "targets=annotated") == 0
    return out


def test_a_benchmark_writes_what_a_result_is(done):
    names = {path.name for path in done.iterdir()}
    assert names == {
        "predictions.jsonl", "metrics.json", "config.yaml", "environment.json", "failures.html",
        "results.html",
    }  # fmt: skip
    page = (done / "results.html").read_text()
    assert page.count('class="scatter"') == 6  # a picture a cost
    assert all('class="label"' in page and f">{name}</text>" in page for name in ("none", "oracle"))
    metrics = json.loads((done / "metrics.json").read_text())
    assert set(metrics["systems"]) == {"none", "guided", "oracle"}
    for of in metrics["systems"].values():
        assert list(of) == ["attribute", "spatial", "overall"]
        for split in of.values():
            assert set(split["accuracy"]) == {"value", "n", "invalid", "low", "high"}
            assert 0 <= split["accuracy"]["value"] <= 1 and split["accuracy"]["invalid"] == 0
    assert set(metrics["paired"]) == {"guided_vs_none", "oracle_vs_none"}
    assert metrics["protocol"] == "default" == protocol_of(done)
    assert metrics["systems"]["guided"]["overall"]["searched"]["value"] == 1  # annotated targets
    made_with = json.loads((done / "environment.json").read_text())
    assert made_with["locate_answer"]["constant"] is False  # random weights say anything
    assert made_with["device"] == "cpu" and made_with["packages"]["torch"] and "seed" in made_with


def test_the_same_command_again_asks_nothing_and_gives_the_same_numbers(place, done, capsys):
    before = (done / "metrics.json").read_text(), (done / "predictions.jsonl").read_text()
    assert benchmark(place, done, "systems=[none,guided,oracle]", "targets=annotated") == 0
    assert ((done / "metrics.json").read_text(), (done / "predictions.jsonl").read_text()) == before
    assert "| guided" in capsys.readouterr().out


def test_a_damaged_picture_is_told_beside_the_numbers(place, tmp_path, capsys):
    bench = write_bench(tmp_path / "bench")
    image = next(p for p in (bench / "direct_attributes").iterdir() if p.suffix != ".json")
    image.write_bytes(image.read_bytes()[:60])
    more = (f"benchmark={bench}", f"vqa={place / 'vqa'}", "systems=[none]", "device=cpu")
    assert run_program("eval/benchmark", *more, f"out={tmp_path / 'o'}") == 0
    told = capsys.readouterr().out
    assert "error: " in told and f"{image.name}: the image is damaged" in told


def test_other_settings_do_not_mix_into_a_run(place, done, capsys):
    assert benchmark(place, done, "targets=annotated", "protocol=as_released") == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "made with protocol='default', not 'as_released'" in error


def test_a_search_model_may_join_a_run_that_had_none(place, tmp_path, capsys):
    one = [
        f"benchmark={place / 'bench'}", f"vqa={place / 'vqa'}", f"out={tmp_path}", "device=cpu",
        "limit=1", "targets=annotated",
    ]  # fmt: skip
    assert run_program("eval/benchmark", *one, "systems=[none]") == 0
    assert benchmark(place, tmp_path, "limit=1", "targets=annotated", "systems=[none,guided]") == 0
    weights = yaml.safe_load((tmp_path / "config.yaml").read_text())["weights"]
    assert set(weights) == {"vqa", "vsm"}
    assert run_program("eval/benchmark", *one, "systems=[none]") == 0
    assert yaml.safe_load((tmp_path / "config.yaml").read_text())["weights"] == weights


def test_strategies_are_compared_and_drawn(place, tmp_path, capsys):
    code = run_program(
        "eval/search", f"benchmark={place / 'bench'}", f"vsm={place / 'vsm'}", f"out={tmp_path}",
        "strategies=[guided,random_bfs]", "traces=1", "device=cpu", "search.confidence_high=1.0",
        "search.confidence_low=1.0", "protocol=as_released",
    )  # fmt: skip
    assert code == 0
    assert "| random_bfs" in capsys.readouterr().out
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert set(metrics["strategies"]) == {"guided", "random_bfs"}
    assert metrics["protocol"] == "as_released" == protocol_of(tmp_path)
    lines = [json.loads(x) for x in (tmp_path / "predictions.jsonl").read_text().splitlines()]
    assert len(lines) == 6 * 2
    assert all(len(line["result"]["path"]) > 4 for line in lines)  # nothing is sure enough
    assert lines[0]["result"]["config"]["confidence_low"] == 1.0
    assert {path.name for path in (tmp_path / "traces").iterdir()} == {"000.json", "000.png"}


def test_searches_that_ask_the_question_run_without_another_guide(place, tmp_path):
    out = tmp_path / "asked"
    code = benchmark(
        place, out, "systems=[expert_first,zoom_eye]", "targets=annotated", "limit=1",
        "search.expert_first.sure_above=1", "search.zoom_eye.steps_per_level=1",
        "search.zoom_eye.stop_threshold=1", "search.zoom_eye.target_question=Is the {target} red?",
    )  # fmt: skip
    assert code == 0
    lines = [json.loads(x) for x in (out / "predictions.jsonl").read_text().splitlines()]
    searches = {
        (line["system"], line["question"]["split"]): line["answer"]["searches"] for line in lines
    }
    for (system, split), of in searches.items():
        asked = {
            "expert_first": {"answering", "detect"}, "zoom_eye": {"answering", "existing", "latent"}
        }[system]  # fmt: skip
        for result in of:
            assert asked <= set(result["calls"])
            assert "expert" not in result["calls"]  # it is the part that detects
            root = result["path"][0]
            assert 0 <= root["confidences"]["answering"] <= 1
            if system == "zoom_eye":
                question = result["config"]["question"]
                assert (question == f"Is the {result['target']} red?") == (split == "spatial")
                assert len(result["path"]) <= result["config"]["max_steps"]
                assert result["guide"]["confidences_added"] == ["answering", "existing", "latent"]


def test_zooming_in_can_be_ended_by_what_is_seen(place, tmp_path):
    code = run_program(
        "eval/search", f"benchmark={place / 'bench'}", f"vsm={place / 'vsm'}", f"out={tmp_path}",
        "strategies=[zoom_eye,expert_first]", "reference=zoom_eye", "traces=1", "limit=1",
        "device=cpu", "search=by_sight",
    )  # fmt: skip
    assert code == 0
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["reference"] == "zoom_eye"
    lines = [json.loads(x) for x in (tmp_path / "predictions.jsonl").read_text().splitlines()]
    for line in lines:
        calls, config = line["result"]["calls"], line["result"]["config"]
        assert "answering" not in calls  # there is no question here
        if line["strategy"] == "zoom_eye":
            assert calls["existing"] >= 1 and calls["detect"] == 1
            assert (config["stop_threshold"], config["box"]) == (0.5, "detect")
    assert (tmp_path / "traces" / "000.png").exists()


def test_tables_show_what_was_measured_beside_what_was_published(done, capsys):
    overrides = ["table=vstar_bench", f"table.rows.SEAL.run={done}"]
    assert run_program("eval/tables", *overrides) == 0
    seal = next(x for x in capsys.readouterr().out.splitlines() if x.startswith("| SEAL"))
    overall = json.loads((done / "metrics.json").read_text())["systems"]["guided"]["overall"]
    measured = overall["accuracy"]["value"] * 100
    assert f"{measured:.2f} [" in seal and "75.39" in seal and f"{measured - 75.39:+.2f}" in seal
    assert run_program("eval/tables", f"compare=[{done}:guided,{done}:none]") == 0
    assert "| overall" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("program", "overrides", "says"),
    [
        ("benchmark", ["systems=[gided]"], "no search strategy 'gided'; choose one of guided"),
        ("benchmark", ["systems=[]"], "must name one or more systems"),
        ("benchmark", ["scoring=guess"], "likelihood, letter, letter_cyclic"),
        ("benchmark", ["benchmark=nowhere"], "nowhere is not a folder"),
        ("benchmark", ["vqa=nowhere"], "nowhere: no such model folder"),
        ("benchmark", ["limt=3"], "unknown configuration key limt; nearest: limit"),
        ("search", ["search.min_sise=3"], "unknown configuration key search.min_sise; nearest"),
        ("search", ["search.zoom_eye.boks=3"], "key search.zoom_eye.boks; nearest"),
        ("search", ["search.zoom_eye.max_depth=0"], "zoom_eye: max_depth=0 must be at least 1"),
        ("search", ["strategies=[oracle]"], "search=oracle is not run by a search model alone"),
        ("search", ["vsm=${vqa}"], "vqa"),
        ("tables", [], "say which table="),
        ("tables", ["compare=[runs/x,runs/y]"], "'runs/x' is not FOLDER:SYSTEM"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(place, tmp_path, capsys, program, overrides, says):
    common = {
        "benchmark": [f"vqa={place / 'vqa'}", f"vsm={place / 'vsm'}"],
        "search": [f"vsm={place / 'vsm'}"],
        "tables": [],
    }[program]
    if common:
        common = [f"benchmark={place / 'bench'}", f"out={tmp_path}", *common]
    assert run_program(f"eval/{program}", *common, *overrides) == 2
    assert says in capsys.readouterr().err.strip().splitlines()[-1]


@pytest.mark.parametrize("name", ["seal_vstar_bench", "seal_vstar_bench_as_released"])
def test_a_benchmark_experiment_composes_and_names_its_run(name):
    run = compose(CONF, "eval", BenchmarkRun, [f"experiment={name}"])
    assert run.out == f"runs/{name}" and "guided" in run.systems
    assert run.protocol == ("as_released" if name.endswith("as_released") else "default")


@pytest.mark.parametrize(
    ("name", "guide"), [("owlvit", "owlv2"), ("grounding_dino", "grounding_dino")]
)
def test_a_detector_on_the_whole_image_is_an_experiment_without_search_model(name, guide):
    run = compose(CONF, "eval", BenchmarkRun, [f"experiment={name}_vstar_bench"])
    assert run.systems == ["none", "whole_image_detector"] and run.vsm is None
    assert run.guide.names == [guide] and list(run.guide.models) == [guide]


def test_the_experiments_of_other_answer_models_compose_and_name_their_runs():
    vicrop = compose(CONF, "eval", BenchmarkRun, ["experiment=vicrop_vstar_bench"])
    assert vicrop.out == "runs/vicrop_vstar_bench" and vicrop.vsm is None
    assert (vicrop.chat.layout, vicrop.planner.name) == ("bare", "given")
    assert vicrop.vicrop.applied_to(ViCropConfig()).high_resolution == "on"
    qwen = compose(CONF, "eval", BenchmarkRun, ["experiment=qwen3_vl_vstar_bench"])
    assert qwen.out == "runs/qwen3_vl_vstar_bench" and "guided" in qwen.systems
    assert qwen.chat.max_pixels == 1003520 and qwen.planner.name is None
    asked = ["experiment=qwen3_vl_vstar_bench", "planner=ask", "planner.sure_above=0.5"]
    planner = compose(CONF, "eval", BenchmarkRun, asked).planner
    assert (planner.name, planner.sure_above) == ("ask", 0.5)


def test_the_word_for_the_quirks_on_the_command_line_wins_over_the_experiments():
    for name, word in (("", "as_released"), ("_as_released", "default")):
        overrides = [f"experiment=seal_vstar_bench{name}", f"protocol={word}"]
        assert compose(CONF, "eval", BenchmarkRun, overrides).protocol == word


def test_a_search_experiment_composes_and_names_its_run():
    run = compose(CONF, "eval_search", SearchRun, ["experiment=vsm_vstar_search"])
    assert run.out == "runs/vsm_vstar_search" and len(run.chosen) == 8
    humans = compose(CONF, "eval_search", SearchRun, ["experiment=vsm_coco_search18"])
    assert humans.task == "coco_search18" and humans.images == "data/coco_search18/images"
    assert humans.chosen == [*run.chosen, "human_prior_0.9", "human_prior_0.8"]


def test_every_table_composes_and_leaves_what_was_not_run_empty(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where no run is
    names = {path.stem for path in (CONF / "table").glob("*.yaml")} - {"all"}
    tables = compose(CONF, "tables", TablesRun, ["table=all"]).build()
    assert {*tables} == names
    (alone,) = compose(CONF, "tables", TablesRun, ["table=general"]).build().values()
    assert alone == tables["general"]
    for filled in tables.values():
        head, rows = filled.table.head, filled.table.rows
        assert all(len(row) == len(head) for row in rows)
        if "published" in head:
            for place, title in enumerate(head):
                empty = title not in ("system", "published")
                assert all(row[place] == "" for row in rows) is empty, title
        else:
            assert all(any(row[1:]) for row in rows) and not filled.missing


def test_what_fills_a_table_is_an_experiment_that_composes_and_goes_where_the_table_looks():
    run = compose(CONF, "tables", TablesRun, ["table=all"])
    commands, alike = {}, set()
    for table in run.tables.values():
        for row in table.rows.values():
            for column in table.columns.values() if row.run else ():
                out = row.run.format(task=column.task)
                form = row.command or column.command or table.command
                commands[out] = form.format(experiment=out.rpartition("/")[2], task=column.task)
    assert len(commands) > 2
    programs = {
        "eval/benchmark": ("eval", BenchmarkRun), "eval/search": ("eval_search", SearchRun),
        "eval/score": ("eval_score", ScoreRun),
    }  # fmt: skip
    for out, command in commands.items():
        task = next((w[5:] for w in command.split() if w.startswith("task=")), "vstar_bench")
        assert task in (*TASK_NAMES, *SCORERS)
        form = command.replace(task, "TASK")
        if form in alike and out.endswith(task):
            continue  # the same experiment, for another benchmark
        alike.add(form)
        made = []
        for part in command.split(" && "):
            seal, name, *overrides = part.split()
            assert seal == "seal"
            made.append(compose(CONF, *programs[name], overrides))
        assert made[-1].out == out
        if len(made) > 1:  # what was answered first is what is scored then
            assert made[-1].answers == made[0].out


def test_published_shares_are_whole_numbers_of_questions_and_add_up():
    tables = compose(CONF, "tables", TablesRun, ["table=all"]).tables
    checked = 0
    for name in ("vstar_bench", "vstar_bench_search"):
        for row in tables[name].rows.values():
            of = row.published
            if not of or row.note:  # guessing is no count of answers
                continue
            right = {split: round(of[split] * n / 100) for split, n in COUNTS.items()}
            for split, n in COUNTS.items():  # most are cut off after two decimals, not rounded
                assert -0.005 <= 100 * right[split] / n - of[split] < 0.015, (name, of, split)
            assert right["attribute"] + right["spatial"] == right["overall"]
            checked += 1
    assert checked == 18


def any_model(place, out, vqa, *more):
    return run_program(
        "eval/benchmark", f"benchmark={place / 'bench'}", f"vqa={vqa}", f"out={out}",
        "limit=1", *more,
    )  # fmt: skip


def test_any_image_text_model_is_compared_by_what_it_costs(place, tmp_path, capsys):
    if reason := missing("llava"):
        pytest.skip(reason)
    run = (place, tmp_path, folder("llava"), "systems=[none,vicrop_rel_att,oracle]", "device=cpu")
    assert any_model(*run, "chat.layout=bare", "planner=noun_phrases") == 0
    told = capsys.readouterr().out
    assert "| vicrop_rel_att" in told and "cost of a question" in told
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    costs = metrics["costs"]
    assert set(costs) == {"none", "vicrop_rel_att", "oracle"}
    assert costs["none"]["calls"]["value"] == 1 and costs["none"]["steps"]["value"] == 0
    assert costs["vicrop_rel_att"]["pixels"]["value"] > costs["none"]["pixels"]["value"]
    made_with = json.loads((tmp_path / "environment.json").read_text())
    assert made_with["answer_model"]["model_type"] == "llava"
    assert made_with["answer_model"]["layout"] == "bare"
    lines = [json.loads(line) for line in (tmp_path / "predictions.jsonl").open()]
    plans = {line["system"]: line["answer"]["plan"] for line in lines}
    assert plans["none"] is None and plans["vicrop_rel_att"]["by"] == "noun_phrases"
    assert all(line["prompt"].strip().endswith("ASSISTANT:") for line in lines)
    # Another layout is another result.
    assert any_model(*run, "chat.layout=interleaved", "planner=noun_phrases") == 2
    assert "choose another out=" in capsys.readouterr().err


def test_a_server_answers_by_letters_and_nothing_else(place, tmp_path, capsys):
    with ChatServer(say=lambda text: "B" if "(B)" in text else "4") as server:
        assert any_model(place, tmp_path / "a", server.url, "systems=[none]") == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1 and "set scoring=letter" in error
        assert not server.bodies  # before anybody was asked
        run = (place, tmp_path / "b", server.url, "systems=[none]", "scoring=letter")
        assert any_model(*run) == 0, capsys.readouterr().err
    lines = [json.loads(line) for line in (tmp_path / "b" / "predictions.jsonl").open()]
    assert [line["answer"]["text"] for line in lines] == ["B"] * len(lines)
    made_with = json.loads((tmp_path / "b" / "environment.json").read_text())
    assert made_with["answer_model"]["kind"] == "endpoint"


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("planner=everything", "planner"),
        ("chat.layout=x", "layout='x' is none of"),
        ("vicrop.view=x", "view='x' is none of pad, as_released"),
        ("systems=[vicrop]", "no search strategy 'vicrop'"),
        ("baseline=guided", "baseline=guided is none of systems=['none']: nothing could be"),
    ],
)
def test_wrong_names_are_told_before_any_model_is_read(place, tmp_path, capsys, setting, said):
    systems = [] if setting.startswith("systems") else ["systems=[none]"]
    assert any_model(place, tmp_path, place / "vqa", *systems, setting) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


@pytest.mark.parametrize("program", ["benchmark", "search"])
@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["guide=owl2"], "guide"),
        (["guide.heat=owl2"], "guide.heat='owl2': there is no such guide.*did you mean owlv2"),
        (["guide.models.owl2=x"], "guide.models.owl2: there is no such guide.*did you mean owlv2"),
        (["guide=owlv2"], "guide.detect=owlv2 needs a model: set guide.models.owlv2="),
        (["guide.detect=null", "guide.expert=ocr"], r"\(guide.cue=, guide.heat=, guide.detect=\)"),
        (["guide=vlm_boxes", "guide.ask.boxes.form=yolo"], "form='yolo' is none of qwen2_vl"),
        (["guide=vlm_boxes", "guide.ask.boxes.frm=json"], "frm"),
    ],
)
def test_a_wrong_guide_is_told_in_a_line(program, overrides, said):
    name, schema, needed = {
        "benchmark": ("eval", BenchmarkRun, ["vqa=a", "vsm=b"]),
        "search": ("eval_search", SearchRun, ["vsm=b", "strategies=[guided]"]),
    }[program]
    with pytest.raises(ValueError, match=said) as error:
        compose(CONF, name, schema, ["benchmark=x", "out=y", *needed, *overrides])
    assert "\n" not in str(error.value)


def test_a_guide_is_chosen_by_name_and_mended_part_by_part():
    run = compose(
        CONF, "eval_search", SearchRun,
        ["benchmark=x", "out=y", "vsm=b", "guide=owlv2", "guide.cue=seal", "guide.heat=seal",
         "guide.models.owlv2=google/owlv2-base-patch16"],
    )  # fmt: skip
    assert run.guide.parts == {"detect": "owlv2", "cue": "seal", "heat": "seal", "expert": "owlv2"}
    assert run.guide.models == {"owlv2": "google/owlv2-base-patch16"}


def test_how_a_language_model_is_asked_is_chosen_too():
    run = compose(
        CONF, "eval_search", SearchRun,
        ["benchmark=x", "out=y", "guide=value_similarity", "guide.models.value_similarity=m",
         "guide.ask.values.layers=[14,32]", "guide.ask.yes_no.asking=yes_no"],
    )  # fmt: skip
    assert run.guide.ask.of("value_similarity")["layers"] == [14, 32]
    assert run.guide.ask.yes_no.asking == "yes_no"


def test_a_detector_is_evaluated_without_a_search_model(place, tmp_path, capsys):
    """Named with its weights, settings and cost; another does not continue its folder."""
    owl = owl_folder(tmp_path / "owl")
    one = [
        f"benchmark={place / 'bench'}", f"out={tmp_path / 'out'}", "device=cpu", "limit=1",
        "guide=owlv2", "search.min_size=200",
    ]  # fmt: skip
    search = ["strategies=[guided,whole_image_detector]", "traces=1"]
    assert run_program("eval/search", *one, *search, f"guide.models.owlv2={owl}") == 0
    out = tmp_path / "out"
    config = yaml.safe_load((out / "config.yaml").read_text())
    assert config["guide"]["parts"] == {"detect": "owlv2", "heat": "owlv2", "expert": "owlv2"}
    assert config["guide_models"] == {"owlv2": str(owl)} and "guide.owlv2" in config["weights"]
    made_with = json.loads((out / "environment.json").read_text())
    assert made_with["guide"]["models"]["owlv2"]["model_type"] == "owlv2"
    assert made_with["locate_answer"] == {"checked": False}
    cost = made_with["guide_cost"]
    assert set(cost["queries"]["detect"]) == {"detect"}
    # Three targets in two images, each encoded once for all of them and for both strategies.
    assert cost["models"]["owlv2"]["crops_encoded"] == 2 < cost["queries"]["detect"]["detect"] == 3
    lines = [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]
    assert all(line["result"]["guide"] == made_with["guide"] for line in lines)
    assert {path.suffix for path in (out / "traces").iterdir()} == {".json", ".png"}
    assert "| guided" in capsys.readouterr().out
    other = owl_folder(tmp_path / "other", seed=1)
    assert run_program("eval/search", *one, *search, f"guide.models.owlv2={other}") == 2
    assert "made with weights." in capsys.readouterr().err


def test_questions_are_answered_with_a_guide_of_two_parts(place, tmp_path):
    owl = owl_folder(tmp_path / "owl")
    more = ["guide=owlv2", "guide.cue=seal", "guide.heat=seal", f"guide.models.owlv2={owl}"]
    out = tmp_path / "out"
    assert benchmark(place, out, "systems=[guided]", "targets=annotated", "limit=1", *more) == 0
    weights = yaml.safe_load((out / "config.yaml").read_text())["weights"]
    assert set(weights) == {"vqa", "vsm", "guide.owlv2"}
    made_with = json.loads((out / "environment.json").read_text())
    assert made_with["guide"]["parts"]["heat"] == "seal" and made_with["locate_answer"]["checked"]
    lines = [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]
    guides = [each["guide"] for line in lines for each in line["answer"]["searches"]]
    assert guides and all(guide == made_with["guide"] for guide in guides)
    asked = made_with["guide_cost"]["queries"]
    assert set(asked["detect"]) == {"detect"} and set(asked["heat"]) <= {
        "target_heat",
        "cue_heatmap",
    }

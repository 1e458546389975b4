"""The driver's own arithmetic: when a target is reached, which ratio may be printed, what a report shows."""

import contextlib
import io
import os
import sys
import tempfile
import types
import unittest
from unittest import mock
from xml.etree import ElementTree

ROOT = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "..")
sys.path.insert(0, ROOT)

from bench.lab.failure import Failure  # noqa: E402
from bench.lab import __main__ as command_line  # noqa: E402
from bench.lab import (chart, console, evaluation, learning_rates, machine, main_job,  # noqa: E402
                       metrics, picture, processes, report_html, results, rows, training, wan)


def result(name, seconds_to_target, final=0.81, seconds=40.0):
    out = training.Result(name, [{"name": "a"}, {"name": "b"}], 0.8, 0.02)
    out.seconds_to_target, out.seconds, out.final = seconds_to_target, seconds, [final, final + 0.01]
    out.steps, out.overruns = [100, 100], [0, 0]
    out.curves = [[[0.5, 0.3], [1.0, 0.82]], [[0.5, 0.2], [1.0, 0.8]]]
    out.bytes = [[0.5, 1000, 1000], [1.0, 3000, 3000]]
    out.description = "<b>bold</b>"
    return out


def answer(state, truth):
    """Answers all questions about the full set; returns how many there were."""
    count = 0
    while (path := state.next_wanted()) is not None:
        state.set_full(path, truth[int(path)])
        count += 1
    return count


def evaluate(truth, target=0.8, sample_error=0.0):
    state = evaluation.SiteEvaluation(target)
    asked = 0
    for index, accuracy in enumerate(truth):
        state.add(str(index), float(index), index, accuracy + sample_error)
        asked += answer(state, truth)
    return state, asked


class WhatMakesARunInvalid(unittest.TestCase):
    def faults(self, crosses_wan=True, **changes):
        run = result("godwit", 20.0)
        for name, value in changes.items():
            setattr(run, name, value)
        run.judge(crosses_wan)
        self.assertEqual(run.valid, not run.faults)
        return run.faults

    def test_nothing_within_the_limits(self):
        self.assertEqual(self.faults(overruns=[2, 2], lateness_ms=5.0), [])

    def test_more_than_two_steps_in_a_hundred_overrun_at_one_site(self):
        self.assertEqual(self.faults(overruns=[0, 3]), ["3 % of a site's steps overran"])

    def test_an_emulator_that_is_late(self):
        self.assertEqual(self.faults(lateness_ms=5.1), ["emulator 5.1 ms late (p99)"])
        self.assertEqual(self.faults(crosses_wan=False, lateness_ms=5.1), [])

    def test_packets_that_the_emulator_missed(self):
        self.assertEqual(self.faults(tap_drops=1), ["emulator missed 1 packets"])

    def test_a_site_that_has_not_trained(self):
        self.assertEqual(self.faults(steps=[100, 0]), ["a site has not trained"])


class WhenTheTargetIsReached(unittest.TestCase):
    def test_is_the_first_of_three_in_a_row(self):
        truth = [0.5, 0.81, 0.82, 0.79, 0.80, 0.81, 0.79, 0.81, 0.82, 0.83, 0.7]
        self.assertEqual(evaluate(truth)[0].reached, 7.0)

    def test_two_in_a_row_are_not_enough(self):
        self.assertIsNone(evaluate([0.7, 0.81, 0.82, 0.79, 0.9, 0.9])[0].reached)

    def test_exactly_the_target_passes(self):
        self.assertEqual(evaluate([0.8, 0.8, 0.8])[0].reached, 0.0)

    def test_the_answer_does_not_depend_on_the_error_of_the_sample(self):
        truth = [0.5, 0.78, 0.79, 0.81, 0.80, 0.805, 0.83]
        for error in (-0.03, 0.0, 0.03):
            self.assertEqual(evaluate(truth, sample_error=error)[0].reached, 3.0, error)

    def test_agrees_with_looking_at_everything_and_asks_less(self):
        state = 12345
        for _ in range(200):
            truth = []
            for _ in range(60):
                state = (state * 1103515245 + 12345) % (1 << 31)
                truth.append(0.77 + 0.06 * state / (1 << 31))
            wanted = next((float(i) for i in range(58) if min(truth[i:i + 3]) >= 0.8), None)
            found, asked = evaluate(truth)
            self.assertEqual(found.reached, wanted)
            self.assertLess(asked, 60)

    def test_snapshots_that_nobody_needs_are_named_once_and_the_newest_never(self):
        state, _ = evaluate([0.1, 0.2, 0.3, 0.4])
        self.assertEqual(state.disposable(), ["0", "1", "2"])
        self.assertEqual(state.disposable(), [])


class WhatMayBePrinted(unittest.TestCase):
    def test_a_ratio_of_two_reached_runs_is_a_number(self):
        self.assertEqual(results.ratio(result("a", 22.0), result("b", 20.0)), 1.1)

    def test_a_ratio_of_an_unreached_run_is_a_lower_bound(self):
        self.assertEqual(results.ratio(result("a", None), result("b", 20.0)), ">2.00")

    def test_a_ratio_to_an_unreached_run_is_an_upper_bound(self):
        self.assertEqual(results.ratio(result("a", 20.0), result("b", None)), "<0.50")
        self.assertEqual(results.ratio(result("a", 20.1), result("b", None)), "<0.51")

    def test_a_ratio_of_two_unreached_runs_or_to_none_says_nothing(self):
        self.assertIsNone(results.ratio(result("a", None), result("b", None)))
        self.assertIsNone(results.ratio(result("a", 20.0), None))

    def test_an_unreached_time_is_a_bound(self):
        self.assertEqual(result("a", None).time_text(), ">40")
        self.assertEqual(result("a", None, seconds=27.7).time_text(), ">27")

    def test_the_better_candidate_is_the_faster_then_the_more_accurate(self):
        self.assertEqual(rows.better([result("x", None, 0.9), result("y", 30.0)]).name, "y")
        self.assertEqual(rows.better([result("x", None, 0.7), result("y", None, 0.75)]).name, "y")

    def test_a_run_that_is_not_valid_is_not_the_better_one_and_is_told_of(self):
        quick, slow = result("x", 20.0), result("y", 30.0)
        quick.faults.append("late")
        self.assertEqual(rows.better([quick, slow]).name, "y")
        self.assertEqual(results.judge(quick) + results.judge(slow), ["x at 0.02: late"])
        self.assertEqual(rows.better([quick]).name, "x")

    def test_an_isolated_site_that_comes_too_close_makes_the_comparison_invalid(self):
        self.assertEqual(results.split_faults(result("isolated", None, 0.72), 0.8), [])
        self.assertEqual(len(results.split_faults(result("isolated", None, 0.75), 0.8)), 1)

    def test_bytes_after_the_target_do_not_count(self):
        run = result("a", 0.75)
        run.count_bytes_until_target()
        self.assertEqual(run.wan_bytes, 2000)


class Sentence(unittest.TestCase):
    CHARACTER = {"rate_mbit": 16.76, "rtt_ms": 328.0, "sites": 3}

    class Wan:
        name, sites = "x", [1, 2, 3]

    def told(self, *runs):
        shown = {run.name: run for run in runs}
        numbers = results.to_json(self.Wan, 0.8, shown, None)
        return results.sentence(numbers, shown, self.CHARACTER)

    def test_compares_with_what_has_run_and_is_silent_about_the_rest(self):
        godwit = result("godwit", 20.0)
        self.assertTrue(self.told(godwit).endswith("reached 80% in 20.0 s."))
        self.assertTrue(self.told(godwit, result("oracle", 10.0)).endswith(
            "in 20.0 s: 2.0 times what latency alone costs."))
        self.assertTrue(self.told(godwit, result("oracle", 20.5)).endswith(
            "in 20.0 s: no more than what latency alone costs."))

    def test_a_bound_is_told_as_a_bound(self):
        text = self.told(result("godwit", 20.0), result("oracle", None), result("tcp-bsp", None),
                         result("tcp-async", 30.0))
        self.assertTrue(text.endswith("in 20.0 s: less than 0.50 times what latency alone costs, more "
                                      "than 2.00 times as fast as TCP in lockstep and 1.5 times as fast "
                                      "as asynchronous TCP."), text)

    def test_a_target_that_was_not_reached_is_said_first(self):
        self.assertIn("came to 79.0% within 40 s and did not reach 80%",
                      self.told(result("godwit", None, final=0.79), result("oracle", 10.0)))


EXPORTED = """# HELP godwit_up one
godwit_uptime_seconds 40
godwit_worker_busy_seconds_total{worker="0"} 10
godwit_link_sent_bytes_total{peer="b"} 3e+06
godwit_link_sent_bytes_total{peer="c"} 1000000
godwit_link_transfers_received_total{peer="b",result="applied"} 7
godwit_link_transfers_received_total{peer="b",result="duplicate"} 100
godwit_codec_elements_total{operation="encode",codec="bpc"} 16
godwit_codec_elements_total{operation="decode",codec="bpc"} 1600
godwit_codec_bytes_total{operation="encode",codec="bpc"} 4
godwit_codec_bytes_total{operation="decode",codec="bpc"} 99
godwit_conservation_defect{topic="a, \\"b\\"} 1"} 2
"""
METRICS = {"sent_bytes": 4000000, "transfers": 7, "bits_per_element": 2.0, "busy_share": 0.25,
           "ledger_defects": 0}


class Metrics(unittest.TestCase):
    def test_figures_are_sums_over_series_and_gateways(self):
        one = metrics.Samples(EXPORTED)
        self.assertEqual(metrics.figures(one), METRICS | {"ledger_defects": 2})
        one.samples += metrics.Samples(EXPORTED).samples
        self.assertEqual(metrics.figures(one), {
            "sent_bytes": 8000000, "transfers": 14, "bits_per_element": 2.0, "busy_share": 0.25,
            "ledger_defects": 4})

    def test_what_a_gateway_had_counted_before_it_was_killed_is_added(self):
        alive, dead = metrics.Samples(EXPORTED), metrics.Samples(EXPORTED)
        self.assertEqual(metrics.figures(alive, [dead, dead]), {
            "sent_bytes": 12000000, "transfers": 21, "bits_per_element": 2.0, "busy_share": 0.25,
            "ledger_defects": 2})

    def test_what_nobody_exports_is_not_zero(self):
        with self.assertRaisesRegex(Failure, "godwit_conservation_defect"):
            metrics.figures(metrics.Samples(EXPORTED.replace("godwit_conservation", "other")))


class Figures(unittest.TestCase):
    def test_the_json_has_the_documented_members_and_types(self):
        shown = {"godwit": result("godwit", 20.0), "tcp-bsp": result("tcp-bsp", None)}
        audit = {"identical": True, "conservation_defect": 0, "metrics": METRICS}
        numbers = results.to_json(Sentence.Wan, 0.8, shown, audit)
        self.assertEqual(list(numbers), ["wan", "sites", "target", "runs", "identical",
                                         "conservation_defect", "ratio_to_oracle", "ratio_to_lan",
                                         "speedup_over_bsp", "speedup_over_async", "metrics"])
        self.assertEqual([list(run) for run in numbers["runs"]],
                         2 * [["name", "seconds_to_target", "final_accuracy", "wan_bytes", "valid", "problems"]])
        self.assertEqual([run["seconds_to_target"] for run in numbers["runs"]], [20.0, ">40"])
        self.assertIs(numbers["identical"], True)
        self.assertEqual(numbers["conservation_defect"], 0)


class WhatIsFoundAfterARun(unittest.TestCase):
    """It marks the run in the table, in the JSON and in what is said below."""

    def check(self, row, problems=0, final=0.7, found=None, faults=(), deaths=()):
        options = types.SimpleNamespace(target=None, full=False, sites=3, kill=[], cut=[], keep=False)
        job = main_job.MainJob(options, None, mock.Mock())
        job.wan, job.faults = mock.Mock(), mock.Mock()
        job.faults.limit.return_value, job.faults.problems.return_value = 40.0, list(faults)
        audit = {"identical": True, "conservation_defect": 0, "metrics": METRICS} | (found or {})
        job.gateways = mock.Mock(folder="/nowhere", deaths=list(deaths))
        job.gateways.audit.return_value = audit
        with mock.patch.object(training, "Training") as runs:
            runs.return_value.run.return_value = result(row, None, final)
            job._run_row(rows.Row(row, "wan", None), 0.02)
        run = results.to_json(Sentence.Wan, 0.8, job.results, audit)["runs"][0]
        self.assertEqual((run["valid"], len(run["problems"])), (not problems, problems))
        self.assertEqual([f"{row} at 0.02: {problem}" for problem in run["problems"]], job.problems)
        last = "NO: " + "; ".join(run["problems"]) if problems else "yes"
        self.assertIn(f" ms  {last}\n", results.table(job.results, None))

    def test_nothing(self):
        self.check("godwit")
        self.check("isolated")

    def test_a_wrong_sum(self):
        self.check("godwit", 1, found={"identical": False})
        self.check("godwit", 1, found={"conservation_defect": 1})
        self.check("godwit", 1, found={"metrics": METRICS | {"ledger_defects": 1}})

    def test_faults_that_were_not_overcome(self):
        self.check("godwit", 2, faults=["the kill of VA was not overcome", "VA-SP: too late"])

    def test_a_gateway_that_nobody_had_killed(self):
        self.check("godwit", 1, deaths=["va"])

    def test_a_wrong_split(self):
        self.check("isolated", 1, final=0.75)


class Scratch(unittest.TestCase):
    """Where the scratch files of a run are put."""

    def base(self, free, sites=3):
        """`free`: megabytes, by folder."""
        status = lambda folder: types.SimpleNamespace(f_bavail=free[folder], f_frsize=1 << 20)  # noqa: E731
        with mock.patch.object(os, "statvfs", status), mock.patch.object(os, "access", lambda f, _: f in free):
            return machine.scratch_base(sites)

    def test_is_in_memory_if_there_is_room_else_on_disk(self):
        self.assertEqual(self.base({"/dev/shm": 240, "/tmp": 9000}), "/dev/shm")
        self.assertEqual(self.base({"/dev/shm": 64, "/tmp": 9000}), "/tmp")
        self.assertEqual(self.base({"/dev/shm": 240, "/tmp": 9000}, sites=11), "/tmp")

    def test_no_room_is_said_with_what_is_there_and_what_to_do(self):
        with self.assertRaisesRegex(Failure, "need 240 MB .* /dev/shm has 64 MB, /tmp has 10 MB; .*--shm-size"):
            self.base({"/dev/shm": 64, "/tmp": 10})


class Tuning(unittest.TestCase):
    """Every row at every rate; the best is written down, and no fault of another one is forgotten."""

    GRID = {"grid": [0.01, 0.02, 0.04], "wans": [
        {"rate_mbit": 16, "rtt_ms": 300, "sites": 3, "rates": {"lan-bsp": 0.056, "isolated": 0.01}}]}

    def tune(self, names, seconds, audits=None):
        """What was tried, what was stored and the exit status. `seconds`: until the target, by rate."""
        options = types.SimpleNamespace(target=None, full=False, sites=3, kill=[], cut=[], keep=False,
                                        json=None, port="uring")
        job = main_job.MainJob(options, None, mock.Mock())
        job.wan, job.grid = mock.Mock(sites=[{"name": "a"}, {"name": "b"}]), self.GRID
        job.wan.name = "w"
        job.character = {"rate_mbit": 16, "rtt_ms": 300, "sites": 3}
        job.rows = [rows.Row(name, "wan", None) for name in names]
        job.gateways = mock.Mock(folder="/nowhere", deaths=[])
        sound = {"identical": True, "conservation_defect": 0, "metrics": METRICS}
        job.gateways.audit.side_effect = [sound | found for found in audits or [{}] * 3]
        tried = []

        def run(row, rate, limit, on_progress):
            tried.append((row.name, rate))
            made = result(row.name, seconds[rate])
            made.learning_rate = rate
            return made

        with tempfile.TemporaryDirectory() as folder, \
                mock.patch.object(training, "Training") as trainings, \
                mock.patch.object(machine, "BUILD", folder), \
                mock.patch.object(learning_rates, "store") as store:
            trainings.return_value.run.side_effect = run
            status = job._tune()
        return tried, store.call_args.args[2], status, job

    def test_takes_the_quickest_rate_of_every_row(self):
        tried, stored, status, job = self.tune(["godwit"], {0.01: 30.0, 0.02: 20.0, 0.04: None})
        self.assertEqual(tried, [("godwit", 0.01), ("godwit", 0.02), ("godwit", 0.04)])
        self.assertEqual(stored, {"lan-bsp": 0.056, "isolated": 0.01, "godwit": 0.02})
        self.assertEqual((status, job.results["godwit"].learning_rate), (0, 0.02))

    def test_lockstep_takes_the_rate_of_the_lan(self):
        tried, stored, _, _ = self.tune(["lan-bsp", "tcp-bsp"], {0.01: 30.0, 0.02: 40.0, 0.04: 20.0})
        self.assertEqual(tried[3:], [("tcp-bsp", 0.04)])
        self.assertEqual(stored["tcp-bsp"], 0.04)
        tried, stored, _, _ = self.tune(["tcp-bsp"], {0.056: 20.0})
        self.assertEqual((tried, stored["tcp-bsp"]), ([("tcp-bsp", 0.056)], 0.056))

    def test_wrong_sums_of_a_rate_that_is_not_the_best_decide_the_exit_status(self):
        _, stored, status, job = self.tune(["godwit"], {0.01: 10.0, 0.02: 20.0, 0.04: 30.0},
                                           [{"identical": False}, {}, {}])
        self.assertEqual((status, stored["godwit"]), (1, 0.02))
        self.assertEqual(job.problems, ["godwit at 0.01: the sites do not hold the same sums"])
        self.assertIs(job.results["godwit"].audit["identical"], True)


class Build(unittest.TestCase):
    def test_says_how_far_it_is(self):
        out = io.StringIO()
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(machine, "BUILD_LOOK_SECONDS", 0.1):
            log = os.path.join(folder, "build.log")
            with contextlib.closing(processes.Registry()) as registry:
                machine._run(registry, ["sh", "-c", "echo '[1/9] a'; echo '[3/9] b'; sleep 1"], log,
                             console.Console(out))
            self.assertEqual(machine.how_far(log), "3/9")
        self.assertRegex(out.getvalue(), r"^ +0 s  3/9\n")


class LearningRates(unittest.TestCase):
    def test_every_row_has_a_rate_from_the_grid(self):
        table = learning_rates.load()
        for entry in table["wans"]:
            for name in ("isolated", "oracle", "lan-async", "lan-bsp", "tcp-async", "tcp-bsp",
                         "tcp-bsp-10", "tcp-bsp-50", "godwit"):
                self.assertIn(entry["rates"][name], table["grid"])

    def test_the_nearest_wan_is_taken(self):
        table = {"wans": [{"rate_mbit": 16, "rtt_ms": 300, "sites": 3, "rates": "slow"},
                          {"rate_mbit": 160, "rtt_ms": 70, "sites": 3, "rates": "fast"}]}
        character = {"rate_mbit": 120, "rtt_ms": 100, "sites": 3}
        self.assertEqual(learning_rates.nearest(table, character), "fast")

    def test_the_number_of_sites_weighs_more_than_a_likeness_of_links(self):
        table = {"wans": [{"rate_mbit": 16, "rtt_ms": 300, "sites": 3, "rates": "three"},
                          {"rate_mbit": 45, "rtt_ms": 170, "sites": 5, "rates": "five"}]}
        character = {"rate_mbit": 45, "rtt_ms": 170, "sites": 3}
        self.assertEqual(learning_rates.nearest(table, character), "three")


class NamesOfWans(unittest.TestCase):
    def test_are_those_of_the_emulator(self):
        build = os.environ.get("GODWIT_BUILD", os.path.join(ROOT, ".build", "check"))
        emulator = os.path.join(build, "bench", "wan", "godwit-wan")
        self.assertEqual(wan.names(), [preset["name"] for preset in wan.presets(emulator)])

    def test_a_seed_belongs_to_the_drawn_ones_and_to_no_other(self):
        self.assertGreater(len(wan.names()), 1)
        for name in wan.names():
            stem = name.removesuffix(wan.SEED)
            self.assertEqual(wan.is_wan(stem), stem == name)
            self.assertEqual(wan.is_wan(f"{stem}:7"), stem != name)
            for wrong in (":", ":x", ":-1", ":SEED", f":{1 << 64}", ":7 "):
                self.assertFalse(wan.is_wan(stem + wrong), name + wrong)
            self.assertEqual(wan.is_wan(f"{stem}:{(1 << 64) - 1}"), stem != name)

    def test_one_that_is_unknown_is_refused_with_the_command_line_and_help_lists_all(self):
        for arguments, status in ((["--wan", "nowhere"], 2), (["--help"], 0)):
            with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(out):
                with self.assertRaises(SystemExit) as end:
                    command_line.parse(arguments)
            self.assertEqual(end.exception.code, status)
            for name in wan.names():
                self.assertIn(name, out.getvalue())


class Report(unittest.TestCase):
    def record(self):
        runs = {"godwit": result("godwit", 1.0).to_json(), "tcp-bsp": result("tcp-bsp", None).to_json()}
        return {"wan": "x", "target": 0.8, "sentence": "a < b", "runs": runs,
                "character": {"rate_mbit": 16.76, "rtt_ms": 328.0, "sites": 2},
                "numbers": {"sites": 2, "identical": True, "conservation_defect": 0,
                            "runs": [{"name": "godwit", "seconds_to_target": 1.0},
                                     {"name": "tcp-bsp", "seconds_to_target": ">40"}]}}

    def test_needs_nothing_from_outside_and_no_script(self):
        page = report_html.render(self.record())
        for word in ("http:", "https:", "<script", "url(", "src="):
            self.assertNotIn(word, page)

    def test_shows_every_run_and_escapes_what_it_is_given(self):
        page = report_html.render(self.record())
        self.assertIn("a &lt; b", page)
        self.assertNotIn("<b>bold", page)
        self.assertEqual(page.count("<svg"), 2)
        self.assertEqual(page.count("<path"), 8)

    def test_the_picture_is_one_svg_with_a_curve_for_every_run(self):
        root = ElementTree.fromstring(picture.render(self.record()))
        name = "{http://www.w3.org/2000/svg}"
        self.assertEqual(len(root.findall(f"{name}path")), 2)
        text = " ".join(root.itertext())
        self.assertIn("godwit", text)
        self.assertIn("> 40 s", text)

    def test_the_picture_shows_the_worst_site(self):
        self.assertEqual(picture.worst_site([[[0.5, 0.3], [1.0, 0.82]], [[0.5, 0.2], [1.1, 0.9]]]),
                         [(0.5, 0.2), (1.1, 0.82)])

    def test_faults_are_told(self):
        record = self.record()
        record["numbers"]["faults"] = [{"fault": "cut", "what": "VA-SP", "at_seconds": 5.0,
                                        "up_seconds": 0.4, "recovery_seconds": 0.9}]
        self.assertIn("cutting the link VA-SP at 5 s", report_html.render(record))

    def test_no_two_runs_look_alike_without_colour(self):
        dashes = [dash for _, _, dash in chart.RUNS.values()]
        self.assertEqual(len(dashes), len(set(dashes)))


if __name__ == "__main__":
    unittest.main()

"""Results to tables (Markdown) and plots (SVG). Medians; a run that did not end as it must is a line of its own, never part of a median."""
import json
import os
import statistics

from scenarios import GROWTH, KEEPALIVE, SCENARIOS, phase_names

BEGIN, END = "<!-- BEGIN %s -->", "<!-- END %s -->"


def read(path):
    with open(path) as file:
        return [json.loads(text) for text in file]


def line(result):
    """A run on the terminal."""
    phases = " ".join("%s %.3f s, cpu %.3f s;" % (p["name"], p["seconds"], p.get("cpuSeconds", 0)) if not p.get("latency")
                      else "p50 %.0f us, p99 %.0f us;" % (p["latency"]["p50"], p["latency"]["p99"]) for p in result["phases"])
    peak = max([p.get("peakResidentBytes", 0) for p in result["phases"]] or [0])
    return "%-4s %-9s %s peak %d MB %s" % (result["scenario"], result["daemon"], phases, peak / 1e6, "" if result["ok"] else "FAILED: " + " ".join(result["problems"])[:200])


def value(phase, name):
    return phase["latency"][name] if name in ("p50", "p99") else phase.get(name)


def medians(results, scenario, daemon):
    """Phase name to value name to the median of the runs that ended well; None where none did."""
    good = [r for r in results if r["scenario"] == scenario and r["daemon"] == daemon and r["ok"]]
    if not good:
        return None
    table = {}
    for position, name in enumerate(phase_names(good[0]["phases"])):
        phases = [r["phases"][position] for r in good]
        names = ("p50", "p99") if phases[0].get("latency") else ("seconds", "cpuSeconds", "peakResidentBytes")
        table[name] = {v: statistics.median(value(p, v) or 0 for p in phases) for v in names}
        if not phases[0].get("latency"):
            table[name]["isGeneratorBound"] = sum(p["isGeneratorBound"] for p in phases) * 2 > len(phases)
            table[name]["peakResidentBytes"] = statistics.median(p.get("peakResidentBytes", 0) for p in phases)
    return table


def goal_lines(results, scenario):
    """What is wanted of a scenario, what it is, and whether that will do."""
    ours = medians(results, scenario.name, "apusd")
    others = {name: medians(results, scenario.name, name) for name in scenario.daemons if name not in ("apusd", "floor")}
    lines = []
    for goal in scenario.goals:
        if not ours or goal.phase not in ours:
            continue
        theirs = medians(results, scenario.name, goal.against) if goal.against != "best" else None
        pairs = [(name, t) for name, t in others.items() if t and goal.phase in t] if goal.against == "best" else [(goal.against, theirs)] if theirs else []
        if not pairs:
            continue
        name, base = min(((name, t[goal.phase][goal.value]) for name, t in pairs), key=lambda pair: pair[1])
        ratio = ours[goal.phase][goal.value] / max(base, 1e-9)
        what = {"cpuSeconds": "CPU", "seconds": "time", "peakResidentBytes": "peak memory"}.get(goal.value, goal.value)
        lines.append((goal.phase, what, name, ratio, goal.ratio))
    return lines


def table(results, scenario):
    rows = ["**%s**, %s" % (scenario.name, scenario.text), ""]
    latency = scenario.goals and scenario.goals[0].value == "p50"
    if latency:
        rows += ["| | p50 | p99 |", "|---|---|---|"]
    else:
        rows += ["| | announce: time, CPU | withdraw | announce again | peak |", "|---|---|---|---|---|"]
    for name in scenario.daemons:
        runs = [r for r in results if r["scenario"] == scenario.name and r["daemon"] == name]
        found = medians(results, scenario.name, name)
        if found is None:
            if name in scenario.skipped:
                rows.append("| %s | not run | | | |" % name)
            elif runs:
                rows.append("| %s | did not end as it must: %s | | | |" % (runs[-1]["daemonVersion"], runs[-1]["problems"][0][:120].replace("|", "/").replace("\n", " ")))
            continue
        title = runs[-1]["daemonVersion"] + ("" if len(runs) > 1 else ", one run")
        if latency:
            phase = found["latency"]
            rows.append("| %s | %.0f µs | %.0f µs |" % (title, phase["p50"], phase["p99"]))
        else:
            cells = ["%.2f s, %.2f s" % (found[p]["seconds"], found[p]["cpuSeconds"]) if found[p]["seconds"] >= 1 else "%.0f ms, %.0f ms" % (found[p]["seconds"] * 1e3, found[p]["cpuSeconds"] * 1e3)
                     for p in ("announce", "withdraw", "announce again")]
            cells = [cell + (" †" if found[p]["isGeneratorBound"] else "") for cell, p in zip(cells, ("announce", "withdraw", "announce again"))]
            rows.append("| %s | %s | %.0f MB |" % (title, " | ".join(cells), max(p["peakResidentBytes"] for p in found.values()) / 1e6))
    goals = goal_lines(results, scenario)
    if goals:
        rows += ["", "| apusd against | | ratio | goal | |", "|---|---|---|---|---|"]
        rows += ["| %s | %s, %s | %.2f | %.2f | %s |" % (name, phase, what, ratio, wanted, "met" if ratio <= wanted else "**not met**") for phase, what, name, ratio, wanted in goals]
    return "\n".join(rows)


def ratios(path, scenarios):
    """Ratios of a quick run, for a terminal."""
    results = read(path)
    rows = ["", "%-4s %-15s %-10s %8s %8s %8s" % ("", "phase", "against", "time", "CPU", "peak")]
    for scenario in scenarios:
        ours = medians(results, scenario.name, "apusd")
        for name in scenario.daemons:
            theirs = medians(results, scenario.name, name)
            if name == "apusd" or not ours or not theirs:
                continue
            for phase in ours:
                if phase == "latency":
                    rows.append("%-4s %-15s %-10s p50 %.2f, p99 %.2f" % (scenario.name, phase, name, ours[phase]["p50"] / theirs[phase]["p50"], ours[phase]["p99"] / theirs[phase]["p99"]))
                else:
                    rows.append("%-4s %-15s %-10s %8.2f %8.2f %8.2f" % ((scenario.name, phase, name) + tuple(ours[phase][v] / max(theirs[phase][v], 1e-9) for v in ("seconds", "cpuSeconds", "peakResidentBytes"))))
    return "\n".join(rows)


def growth_points(results):
    """For each number of clients: deliveries, the least CPU of its runs, and the median of peak memory. Other work on the machine only ever adds CPU
    (caches, clock): the least of several runs is the best estimate of what the work itself costs."""
    points = []
    for scenario in GROWTH:
        runs = [r for r in results if r["scenario"] == scenario.name and r["daemon"] == "apusd" and r["ok"]]
        if runs:
            announce = [next(p for p in r["phases"] if p["name"] == "announce") for r in runs]
            deliveries = 100_000 // scenario.clients * scenario.clients * (scenario.clients - 1)
            points.append((scenario.clients, deliveries, min(p["cpuSeconds"] for p in announce), statistics.median(p["cpuSeconds"] for p in announce),
                           statistics.median(p["peakResidentBytes"] for p in announce), len(runs)))
    return points


def per_delivery(points):
    """Nanoseconds for each delivery beyond those of two clients, by the number of clients: without what is paid once for every route."""
    base = next(((deliveries, least) for clients, deliveries, least, _, _, _ in points if clients == 2), (0, 0))
    return {clients: (least - base[1]) / (deliveries - base[0]) * 1e9 for clients, deliveries, least, _, _, _ in points if clients > 2}


def growth_table(results):
    rows = ["| clients | deliveries | CPU, median | CPU, least of the runs | per delivery beyond those of two clients | peak memory |", "|---|---|---|---|---|---|"]
    points = growth_points(results)
    each = per_delivery(points)
    for clients, deliveries, least, median, peak, runs in points:
        rows.append("| %d | %s | %.0f ms | %.1f ms of %d | %s | %.0f MB |" % (
            clients, format(deliveries, ","), median * 1e3, least * 1e3, runs, "%.2f ns" % each[clients] if clients in each else "", peak / 1e6))
    return "\n".join(rows)


def keepalive_table(results):
    rows = ["| | latest keepalive | more than 100 ms late |", "|---|---|---|"]
    for scenario in KEEPALIVE:
        loads = [r["status"]["load"] for r in results if r["scenario"] == scenario.name and r["ok"] and r.get("status")]
        if loads:
            rows.append("| %s | %.1f ms | %d |" % (scenario.text, max(l["keepaliveLatestSeconds"] for l in loads) * 1e3, sum(l["lateKeepalives"] for l in loads)))
    return "\n".join(rows)


def replace(text, name, new):
    begin, end = text.index(BEGIN % name) + len(BEGIN % name), text.index(END % name)
    return text[:begin] + "\n\n" + new + "\n\n" + text[end:]


def write(root, folder):
    """The generated parts of docs/performance.md, and the plots beside it."""
    page = os.path.join(root, "docs", "performance.md")
    with open(page) as file:
        text = file.read()
    full, growth = os.path.join(folder, "full.jsonl"), os.path.join(folder, "growth.jsonl")
    if os.path.exists(full):
        results = read(full)
        machines = sorted({r["machine"] for r in results})
        text = replace(text, "TABLES", "Machine: %s.\n\n" % "; ".join(machines) + "\n\n".join(table(results, s) for s in SCENARIOS if any(r["scenario"] == s.name for r in results)))
        plot_full(results, os.path.join(root, "docs", "performance.svg"))
    if os.path.exists(growth):
        results = read(growth)
        text = replace(text, "GROWTH", growth_table(results))
        plot_growth(results, os.path.join(root, "docs", "growth.svg"))
    keepalive = os.path.join(folder, "keepalive.jsonl")
    if os.path.exists(keepalive):
        text = replace(text, "KEEPALIVE", keepalive_table(read(keepalive)))
    with open(page, "w") as file:
        file.write(text)
    print("wrote " + page)


def pyplot():
    import matplotlib

    matplotlib.use("svg")
    # The same input gives the same file.
    matplotlib.rcParams.update({"svg.hashsalt": "apus", "svg.fonttype": "none", "font.size": 9})
    from matplotlib import pyplot

    return pyplot


def plot_full(results, path):
    plot = pyplot()
    names = ["apusd", "bird", "frr", "openbgpd", "gobgp"]
    scenarios = [s for s in SCENARIOS if s.goals[0].value != "p50"]
    figure, axes = plot.subplots(1, 2, figsize=(9, 3.2))
    for axis, quantity, title in ((axes[0], "cpuSeconds", "CPU of the first announcement, s"), (axes[1], "peakResidentBytes", "peak memory, MB")):
        for offset, name in enumerate(names):
            found = [(i, medians(results, s.name, name)) for i, s in enumerate(scenarios)]
            points = [(i + offset * 0.16 - 0.32, (max(p[quantity] for p in f.values()) / 1e6) if quantity == "peakResidentBytes" else f["announce"][quantity]) for i, f in found if f]
            axis.bar([x for x, _ in points], [y for _, y in points], width=0.15, label=name)
        axis.set_yscale("log")
        axis.set_xticks(range(len(scenarios)), [s.name for s in scenarios])
        axis.set_title(title)
    axes[0].legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def plot_growth(results, path):
    plot = pyplot()
    found = growth_points(results)
    each = per_delivery(found)
    points = [(clients, each[clients], peak / 1e6) for clients, _, _, _, peak, _ in found if clients in each]
    figure, axes = plot.subplots(1, 2, figsize=(9, 3))
    for axis, column, title in ((axes[0], 1, "CPU per delivered route, ns"), (axes[1], 2, "peak memory, MB")):
        axis.plot([p[0] for p in points], [p[column] for p in points], marker="o")
        axis.set_xscale("log")
        axis.set_ylim(bottom=0)
        axis.set_xlabel("clients")
        axis.set_title(title)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})

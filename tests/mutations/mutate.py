#!/usr/bin/env python3
"""Plants the mistakes of mutations.txt in a copy of the project, one at a time, and expects a test to fail each time."""
import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

# What a judge runs, and the target it needs. The problems leave rests in every tile, vector and panel.
PROBLEMS = ["t9n3i5h17l2bi", "t6n7i3h33l2rev", "t4n2i140h70", "t3n1i2h40", "t3n7i5h17l2bi"]
OPTIONS = [
    "t6n3i5h17peep", "t5n2i5h9peepnewclip", "t5n3i4h20peepfullzone", "t5n2i4h18proj5zone", "t5n2i4h18proj5clip",
    "t5n3i5h17coupledmaskclip", "t5n2i68h17nox", "t5n2h17idxhard", "t5n3i5h18bidconn", "t5n3i5h17birdropzone",
    "t5n3i5h17l2bf16peepnew", "t5n2i4h9bf16recompute", "t5n2i4h9outputspeep", "t5n2i4h40peepfull",
]
TIME = [
    "t6n5i3h20l2bilenleftresethold", "t6n5i3h17l2biaddlenreset", "t6n5i3h18l2bisephold", "t6n5i3h18packedlearnreset",
    "t5n4i3h17revlenproj9peepfullhold", "t5n4i3h9lenresetholdrecompute", "t5n4i3h9lenholdoutputs", "t5n4i3h17lenresetzone",
]
IMAGES = [
    "t3n2i3h5conv3y4x5", "t2n2i4h6conv3y5x6groups2dilate2", "t3n2i3h5conv4y6x7stride2l2", "t2n2i3h5conv3y4x4peepelement",
    "t2n2i3h5conv3y4x4peepfullbi", "t3n3i3h20conv5y3x4lenresethold", "t2n1i70h17conv3y4x4",
]
TILES = ["t2n2i16h32conv3y6x9wino", "t2n2i32h32l2conv5y5x6wino", "t3n3i3h32conv3y8x5lenresetwino",
    "t1n2i16h16conv3y9x160wino"]
JUDGES = {
    "kernels": (["test_kernels"], ["tests/test_kernels"]),
    "bits": (["test_bits"], ["tests/test_bits"]),
    "ops": (["test_ops"], ["tests/test_ops"]),
    "refusals": (["test_refusals"], ["tests/test_refusals"]),
    "plan": (["test_plan"], ["tests/test_plan"]),
    "memory": (["test_memory"], ["tests/test_memory"]),
    "layer": (["test_layer"], ["tests/test_layer"]),
    "accumulate": (["test_accumulate"], ["tests/test_accumulate"]),
    "storage": (["test_storage"], ["tests/test_storage"]),
    "bits_options": (["test_bits_options"], ["tests/test_bits_options"]),
    "limits": (["test_limits"], ["tests/test_limits"]),
    "refusals_run": (["test_refusals_run"], ["tests/test_refusals_run"]),
    "bits_time": (["test_bits_time"], ["tests/test_bits_time"]),
    "slots": (["test_slots"], ["tests/test_slots"]),
    "bnns": (["test_bnns"], ["tests/test_bnns"]),
    "mpsgraph": (["test_mpsgraph_lstm"], ["tests/test_mpsgraph_lstm"]),
    "mpsgraph_contract": (["test_mpsgraph_lstm_contract"], ["tests/test_mpsgraph_lstm_contract"]),
    "bnns_switches": (["test_bnns_switches"], ["tests/test_bnns_switches"]),
    "bnns_contract": (["test_bnns_contract"], ["tests/test_bnns_contract"]),
    "time": (["sluice_command"], ["tools/sluice", "verify", *TIME]),
    "verify": (["sluice_command"], ["tools/sluice", "verify", *PROBLEMS]),
    "options": (["sluice_command"], ["tools/sluice", "verify", *OPTIONS]),
    "images": (["sluice_command"], ["tools/sluice", "verify", *IMAGES]),
    "tiles": (["sluice_command"], ["tools/sluice", "verify", *TILES]),
    "mps": (["test_mps_random"], ["tests/test_mps_random"]),
    "mps_training": (["test_mps_training"], ["tests/test_mps_training"]),
    "mps_images": (["test_mps_images"], ["tests/test_mps_images"]),
    "mps_sources": (["test_mps_sources"], ["tests/test_mps_sources"]),
    "image_cases": (["test_images"], ["tests/test_images"]),
    "image_bits": (["test_winograd"], ["tests/test_winograd"]),
    "combinations": (["test_combinations"], ["tests/test_combinations", "few"]),
}
FOLDERS = ["include", "compat", "src", "check", "tests", "tools", "man", "examples", "bench", "cmake", "docs", "scripts"]


def read_list(path):
    """Blocks of a title and four keyed lines."""
    mutations = []
    for block in path.read_text().strip().split("\n\n"):
        title, *rest = block.splitlines()
        mutation = {"title": title}
        for line in rest:
            key, value = line.split(maxsplit=1)
            mutation[key] = value
        if set(mutation) != {"title", "file", "old", "new", "kill"} or mutation["kill"] not in JUDGES:
            sys.exit(f"{path}: \"{title}\" lacks a line, or its judge is unknown")
        mutations.append(mutation)
    return mutations


def run(command, folder, seconds):
    try:
        return subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds)
    except subprocess.TimeoutExpired as expired:
        return subprocess.CompletedProcess(command, 124, expired.stdout)


def build(folder, targets):
    return run(["cmake", "--build", folder, "-j2", "--target", *targets], folder, 600)


def judge(folder, name):
    """True if the judge is content. A judge that hangs or crashes is not."""
    return run([f"./{JUDGES[name][1][0]}", *JUDGES[name][1][1:]], folder, 120).returncode == 0


def plant(source, mutation):
    path = source / mutation["file"]
    before = path.read_text()
    if before.count(mutation["old"]) != 1:
        return None, f"the text to replace occurs {before.count(mutation['old'])} times in {mutation['file']}"
    path.write_text(before.replace(mutation["old"], mutation["new"]))
    return before, None


def try_mutation(source, folder, mutation):
    """Why the mutation is not as it should be, or None."""
    before, trouble = plant(source, mutation)
    if trouble:
        return trouble
    built = build(folder, JUDGES[mutation["kill"]][0])
    survived = built.returncode == 0 and judge(folder, mutation["kill"])
    (source / mutation["file"]).write_text(before)
    if built.returncode != 0:
        return "does not compile: " + built.stdout.decode(errors="replace")[-400:]
    return f"survives {mutation['kill']}" if survived else None


def copy_project(project, source):
    for folder in FOLDERS:
        if (project / folder).is_dir():
            shutil.copytree(project / folder, source / folder)
    shutil.copy(project / "CMakeLists.txt", source)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--project", type=Path, default=Path(__file__).resolve().parents[2])
    parser.add_argument("--compiler", default="cc")
    parser.add_argument("--only", help="only mutations whose title contains this")
    arguments = parser.parse_args()
    mutations = read_list(arguments.project / "tests/mutations/mutations.txt")
    if arguments.only:
        mutations = [each for each in mutations if arguments.only in each["title"]]
    with tempfile.TemporaryDirectory() as scratch:
        source, folder = Path(scratch) / "source", Path(scratch) / "build"
        copy_project(arguments.project, source)
        folder.mkdir()
        configured = run(["cmake", "-S", source, "-B", folder, f"-DCMAKE_C_COMPILER={arguments.compiler}",
                          "-DCMAKE_BUILD_TYPE=Release"], folder, 120)
        judges = sorted({each["kill"] for each in mutations})
        built = build(folder, sorted({target for name in judges for target in JUDGES[name][0]}))
        if configured.returncode or built.returncode:
            sys.exit((configured.stdout + built.stdout).decode(errors="replace")[-2000:])
        discontent = [name for name in judges if not judge(folder, name)]
        if discontent:
            sys.exit(f"judges that fail without any mistake: {', '.join(discontent)}")
        failures = 0
        for number, mutation in enumerate(mutations, 1):
            trouble = try_mutation(source, folder, mutation)
            failures += trouble is not None
            print(f"{number:3} {'ok      ' if trouble is None else 'FAILED  '} {mutation['title']}"
                  + (f": {trouble}" if trouble else f" (killed by {mutation['kill']})"), flush=True)
    print(f"{len(mutations) - failures} passed, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

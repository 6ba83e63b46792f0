//! The recovery scores of the LifeSnaps people, beside those of an implementation that shares no code with the engine.
//!
//! Promises: for every person and day there is a row if, and only if, the oracle (`tests/oracle/recovery.py`, Python with
//! numpy) has one, with the same status, days still missing, missing inputs, components and score. Stops at what these
//! people's phones measured: no workouts, one source, and a sleep target of eight hours.

use crate::lifesnaps::{file, move_in, people};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use welltrack_tests::TestDb;

/// Names the environment variable that holds a Python with the packages of `tests/oracle/requirements.txt`;
/// `cargo xtask test` sets it.
const PYTHON: &str = "WELLTRACK_TEST_PYTHON";

/// How far two computations in double precision may be apart, in points of a hundred.
const TOLERANCE: f64 = 1e-9;

/// What is said about one person's day.
#[derive(Debug, Deserialize, PartialEq)]
struct Verdict {
    status: String,
    days_missing: i32,
    components: BTreeMap<String, Option<f64>>,
    score: Option<f64>,
    missing: Vec<String>,
}

/// Verdicts by person and date.
type Verdicts = BTreeMap<(String, String), Verdict>;

#[derive(Deserialize)]
struct Line {
    person: String,
    date: String,
    #[serde(flatten)]
    verdict: Verdict,
}

/// What the oracle says of the data set.
fn oracle(file: &Path) -> Verdicts {
    let python = std::env::var_os(PYTHON)
        .unwrap_or_else(|| panic!("{PYTHON} is not set: run these tests with `cargo xtask test flows`"));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("oracle/recovery.py");
    let output = Command::new(python).arg(script).arg(file).output().expect("Python starts");
    assert!(output.status.success(), "the oracle: {}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).expect("the oracle writes UTF-8");
    lines
        .lines()
        .map(|line| {
            let line: Line = serde_json::from_str(line).expect("the oracle writes a verdict a line");
            ((line.person, line.date), line.verdict)
        })
        .collect()
}

/// What the engine says, as people read it from the table.
fn engine(db: &TestDb) -> Verdicts {
    let sql = "
        select split_part(u.email, '@', 1), s.score_date::text, s.status::text, s.days_missing, s.recovery_score,
               s.missing_inputs, s.stress_component, s.sleep_component, s.hr_component, s.load_component
        from public.wt_recovery_scores s join auth.users u on u.id = s.user_id";
    db.admin()
        .query(sql, &[])
        .expect("scores can be read")
        .iter()
        .map(|row| {
            let components = ["stress", "sleep", "hr", "load"].into_iter().zip(6..);
            let verdict = Verdict {
                status: row.get(2),
                days_missing: row.get(3),
                components: components.map(|(name, column)| (name.to_owned(), row.get(column))).collect(),
                score: row.get(4),
                missing: row.get(5),
            };
            ((row.get(0), row.get(1)), verdict)
        })
        .collect()
}

fn close(left: Option<f64>, right: Option<f64>) -> bool {
    match (left, right) {
        (Some(left), Some(right)) => (left - right).abs() <= TOLERANCE,
        (left, right) => left == right,
    }
}

/// Whether both say the same, numbers within the tolerance.
fn agree(left: &Verdict, right: &Verdict) -> bool {
    let said = |verdict: &Verdict| (verdict.status.clone(), verdict.days_missing, verdict.missing.clone());
    said(left) == said(right)
        && close(left.score, right.score)
        && left.components.keys().eq(right.components.keys())
        && left.components.iter().all(|(name, value)| close(*value, right.components[name]))
}

#[test]
fn every_day_of_the_lifesnaps_people_is_scored_as_an_independent_implementation_does() {
    let Some(file) = file() else { return };
    let expected = oracle(&file);
    let people = people(&file);
    let db = TestDb::new();
    let residents = move_in(&db, &people);
    db.run_jobs();
    let mut owner = db.owner();
    loop {
        let run = owner.query_one("select public.run_performance_engine()", &[]).expect("the engine runs");
        if run.get::<_, serde_json::Value>(0)["left"] == json!(false) {
            break;
        }
    }

    let found = engine(&db);
    let days = |verdicts: &Verdicts| verdicts.keys().cloned().collect::<Vec<_>>();
    assert_eq!(days(&found), days(&expected), "the days that have a row");
    let apart: Vec<_> =
        expected.iter().filter(|(day, verdict)| !agree(&found[*day], verdict)).map(|(day, _)| day).collect();
    if let Some(first) = apart.first() {
        panic!(
            "{} of {} days differ, first {first:?}:\nengine {:?}\noracle {:?}",
            apart.len(),
            expected.len(),
            found[*first],
            expected[*first]
        );
    }
    // A comparison of nothing would pass too: everybody is in it, and every status that these lives can have.
    for resident in &residents {
        assert!(expected.keys().any(|(person, _)| person == resident.name), "{} has days", resident.name);
    }
    for status in ["scored", "calibrating", "insufficient"] {
        assert!(expected.values().any(|verdict| verdict.status == status), "somebody is {status}");
    }
}

//! The rules of ingestion as a simple model in memory, and random histories that must leave the table as the model says.
//!
//! Promises: whatever mixes of batches, upserts, corrections, deletions and background jobs come, in a small world where
//! everything collides, the table holds exactly the model's readings with the model's status and priority, the batch
//! function counts as the model counts, and a row that did not change is still the same row version. Stops at one
//! client: two at once are in `ingest_faults`.

use crate::priority::BY_PRIORITY;
use crate::readings::{DAY, Reading, cases, counts, ingest, records, upsert, versions};
use postgres::Client;
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};
use std::cell::RefCell;
use std::collections::BTreeMap;
use uuid::Uuid;
use welltrack_tests::{Caller, Person, TestDb, become_caller};

/// Which of the person's two profiles, source, metric, start and end.
type Key = (usize, &'static str, &'static str, i64, i64);

/// What the table should hold for one identity.
#[derive(Clone, Debug, PartialEq)]
struct Kept {
    value: f64,
    name: Option<String>,
    /// Value and name as the last payload had them: a payload that changed makes a reading raw, too.
    payload: (f64, Option<String>),
    status: &'static str,
    is_primary: bool,
}

/// One thing that happens to a person's readings.
#[derive(Clone, Debug)]
enum Step {
    Batch(usize, Vec<Reading>),
    Upsert(usize, Vec<Reading>),
    /// The client corrects the value of the n-th row.
    Correct(usize, f64),
    /// The client deletes the n-th row.
    Delete(usize),
    Jobs,
}

impl Step {
    /// Whether this is an upsert, and not one of `key`'s own reading.
    fn upserts_beside(&self, key: &Key) -> bool {
        let Step::Upsert(profile, readings) = self else { return false };
        !readings.iter().any(|reading| self::key(*profile, reading) == *key)
    }
}

/// Mean and sample standard deviation (-1 for a single day) in millionths, and number of days, by profile and metric.
type Baselines = BTreeMap<(usize, String), (f64, f64, i32)>;

fn millionths(value: f64) -> f64 {
    (value * 1e6).round()
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Model(BTreeMap<Key, Kept>);

fn key(profile: usize, reading: &Reading) -> Key {
    (profile, reading.source, reading.metric, reading.start, reading.end)
}

/// What is left of a batch when later records have overtaken the earlier ones of the same period or name.
fn without_repeats(readings: &[Reading]) -> Vec<Reading> {
    let mut kept: Vec<Reading> = Vec::new();
    for reading in readings.iter().rev() {
        let repeats = |later: &Reading| {
            (later.source, later.metric) == (reading.source, reading.metric)
                && ((later.start, later.end) == (reading.start, reading.end)
                    || (reading.name.is_some() && later.name == reading.name))
        };
        if !kept.iter().any(repeats) {
            kept.push(reading.clone());
        }
    }
    kept.reverse();
    kept
}

impl Model {
    fn stored_under(&self, reading: &Reading) -> Option<Key> {
        reading.name.as_ref()?;
        let same = |(key, kept): &(&Key, &Kept)| {
            (key.1, key.2) == (reading.source, reading.metric) && kept.name == reading.name
        };
        self.0.iter().find(same).map(|(key, _)| *key)
    }

    /// Takes in readings without repeats; answers how many were inserted, updated and unchanged.
    fn take(&mut self, profile: usize, readings: &[Reading]) -> [u64; 3] {
        let before = self.clone();
        let moved =
            |reading: &Reading| before.stored_under(reading).filter(|old| *old != key(profile, reading));
        // Names first: whoever moved leaves the old period, and what stood at the new one gives way.
        for reading in readings {
            if let Some(old) = moved(reading) {
                self.0.remove(&old);
                self.0.remove(&key(profile, reading));
            }
        }
        let [mut inserted, mut updated, mut unchanged] = [0; 3];
        for reading in readings {
            let fresh = Kept {
                value: reading.value,
                name: reading.name.clone(),
                payload: (reading.value, reading.name.clone()),
                status: "raw",
                is_primary: true,
            };
            match self.0.get_mut(&key(profile, reading)) {
                None => {
                    self.0.insert(key(profile, reading), fresh);
                    if moved(reading).is_some() { updated += 1 } else { inserted += 1 }
                }
                Some(kept) if kept.value == reading.value && kept.payload == fresh.payload => unchanged += 1,
                Some(kept) => {
                    // A name once given stays with a reading that comes again without one.
                    *kept = Kept { name: reading.name.clone().or(kept.name.take()), ..fresh };
                    updated += 1;
                }
            }
        }
        self.settle();
        [inserted, updated, unchanged]
    }

    fn jobs(&mut self) {
        for kept in self.0.values_mut().filter(|kept| kept.status == "raw") {
            kept.status = if (0.0..=100_000.0).contains(&kept.value) { "validated" } else { "rejected" };
        }
        self.settle();
    }

    /// On each day the best source that has a reading counts; what was rejected counts for nobody.
    fn settle(&mut self) {
        let rank = |key: &Key| BY_PRIORITY.iter().position(|s| *s == key.1);
        let day = |key: &Key| (key.0, key.2, key.3 / DAY);
        let mut best = BTreeMap::new();
        for (key, _) in self.0.iter().filter(|(_, kept)| kept.status != "rejected") {
            let entry = best.entry(day(key)).or_insert(rank(key));
            *entry = (*entry).min(rank(key));
        }
        for (key, kept) in &mut self.0 {
            kept.is_primary = kept.status != "rejected" && best[&day(key)] == rank(key);
        }
    }

    /// The world has two days, so that all of them count.
    fn baselines(&self) -> Baselines {
        let mut days: BTreeMap<(usize, String), BTreeMap<i64, f64>> = BTreeMap::new();
        for (key, kept) in self.0.iter().filter(|(_, kept)| kept.status == "validated" && kept.is_primary) {
            *days.entry((key.0, key.2.to_owned())).or_default().entry(key.3 / DAY).or_default() += kept.value;
        }
        let spread = |days: Vec<f64>| match days[..] {
            [one, other] => {
                (millionths((one + other) / 2.0), millionths((one - other).abs() / 2_f64.sqrt()), 2)
            }
            ref one => (millionths(one[0]), millionths(-1.0), 1),
        };
        days.into_iter().map(|(key, days)| (key, spread(days.into_values().collect()))).collect()
    }

    fn apply(&mut self, step: &Step) -> Option<[u64; 5]> {
        match step {
            Step::Batch(profile, readings) => {
                let rows = without_repeats(readings);
                let [inserted, updated, unchanged] = self.take(*profile, &rows);
                return Some([inserted, updated, unchanged, (readings.len() - rows.len()) as u64, 0]);
            }
            Step::Upsert(profile, readings) => {
                self.take(*profile, &without_repeats(readings));
            }
            Step::Correct(nth, value) => {
                if let Some(kept) = nth_of(&mut self.0, *nth).filter(|kept| kept.value != *value) {
                    (kept.value, kept.status) = (*value, "raw");
                }
                self.settle();
            }
            Step::Delete(nth) => {
                if let Some(key) = self.0.keys().nth(*nth).copied() {
                    self.0.remove(&key);
                }
                self.settle();
            }
            Step::Jobs => self.jobs(),
        }
        None
    }
}

fn nth_of(map: &mut BTreeMap<Key, Kept>, nth: usize) -> Option<&mut Kept> {
    map.values_mut().nth(nth)
}

/// The real thing, played the same history.
struct World<'a> {
    db: &'a TestDb,
    api: &'a RefCell<Client>,
    admin: &'a RefCell<Client>,
    person: Person,
    profiles: [Uuid; 2],
}

impl World<'_> {
    fn new<'a>(db: &'a TestDb, api: &'a RefCell<Client>, admin: &'a RefCell<Client>) -> World<'a> {
        let person = db.sign_up(&format!("{}@example.com", Uuid::new_v4().simple()));
        become_caller(&mut api.borrow_mut(), person.caller());
        let child = api
            .borrow_mut()
            .query_one("insert into public.wt_profiles (display_name) values ('child') returning id", &[])
            .expect("a dependent can be added")
            .get(0);
        World { db, api, admin, person, profiles: [person.profile_id, child] }
    }

    fn apply(&self, step: &Step, rows: &BTreeMap<Key, Uuid>) -> Result<Option<[u64; 5]>, postgres::Error> {
        let api = &mut *self.api.borrow_mut();
        match step {
            Step::Batch(profile, readings) => {
                return ingest(api, self.profiles[*profile], &records(readings))
                    .map(|answer| Some(counts(&answer)));
            }
            Step::Upsert(profile, readings) => {
                let person = Person { profile_id: self.profiles[*profile], ..self.person };
                // One statement can't touch a row twice; and named rows go first, as the batch function has it.
                let mut readings = without_repeats(readings);
                readings.sort_by_key(|reading| reading.name.is_none());
                let rows: Vec<_> = readings.iter().map(|reading| reading.row(person)).collect();
                upsert(api, &rows)?;
            }
            Step::Correct(nth, value) => {
                if let Some(id) = rows.values().nth(*nth) {
                    api.execute(
                        "update public.wt_health_metrics set value_num = $2 where id = $1",
                        &[id, value],
                    )?;
                }
            }
            Step::Delete(nth) => {
                if let Some(id) = rows.values().nth(*nth) {
                    api.execute("delete from public.wt_health_metrics where id = $1", &[id])?;
                }
            }
            Step::Jobs => drop(self.db.run_jobs()),
        }
        Ok(None)
    }

    fn look(&self) -> (Model, BTreeMap<Key, Uuid>) {
        let rows = self.admin.borrow_mut()
            .query(
                "select id, array_position($2, profile_id) - 1, source::text, metric_type::text,
                        extract(epoch from start_time)::bigint, extract(epoch from end_time)::bigint, value_num,
                        source_record_id, (raw_payload_json -> 'value')::float8, raw_payload_json ->> 'id', validation_status::text, is_primary
                 from public.wt_health_metrics where user_id = $1",
                &[&self.person.user_id, &self.profiles.to_vec()],
            )
            .expect("the table can be read");
        let label = |text: String| {
            ["garmin", "manual", "steps", "distance", "validated", "rejected", "raw"]
                .into_iter()
                .find(|known| *known == text)
                .unwrap_or_else(|| panic!("{text} came from nowhere"))
        };
        let (kept, ids) = rows
            .iter()
            .map(|row| {
                let profile = row.get::<_, i32>(1) as usize;
                let key = (profile, label(row.get(2)), label(row.get(3)), row.get(4), row.get(5));
                let kept = Kept {
                    value: row.get(6),
                    name: row.get(7),
                    payload: (row.get(8), row.get(9)),
                    status: label(row.get(10)),
                    is_primary: row.get(11),
                };
                ((key, kept), (key, row.get(0)))
            })
            .unzip();
        (Model(kept), ids)
    }

    /// The baselines as the table has them, by profile and metric: mean, spread, days; only those with days.
    fn baselines(&self) -> Baselines {
        self.admin
            .borrow_mut()
            .query(
                "select array_position($2, profile_id) - 1, metric_type::text, baseline_value,
                        coalesce(baseline_stddev, -1), data_points_count
                 from public.wt_baselines where user_id = $1 and data_points_count > 0",
                &[&self.person.user_id, &self.profiles.to_vec()],
            )
            .expect("the baselines can be read")
            .iter()
            .map(|row| {
                let key = (row.get::<_, i32>(0) as usize, row.get::<_, String>(1));
                (key, (millionths(row.get(2)), millionths(row.get(3)), row.get(4)))
            })
            .collect()
    }
}

fn reading() -> impl Strategy<Value = Reading> {
    let period = prop::sample::select(vec![(0, 1), (1, 2), (24, 25), (24, 26), (25, 26)]);
    (
        prop::sample::select(vec!["garmin", "manual"]),
        prop::sample::select(vec![("steps", "count"), ("distance", "m")]),
        period,
        prop::sample::select(vec![10.0, 20.0, 200_000.0]),
        prop::option::of(prop::sample::select(vec!["a", "b", "c"])),
    )
        .prop_map(|(source, (metric, unit), (from, to), value, name)| {
            let reading = Reading::daily(source, metric, unit, 0, value).hours(from, to);
            if let Some(name) = name { reading.named(name) } else { reading }
        })
}

fn step() -> impl Strategy<Value = Step> {
    let readings = || prop::collection::vec(reading(), 1..7);
    let profile = || prop::sample::select(vec![0, 0, 0, 1]);
    prop_oneof![
        4 => (profile(), readings()).prop_map(|(profile, readings)| Step::Batch(profile, readings)),
        3 => (profile(), readings()).prop_map(|(profile, readings)| Step::Upsert(profile, readings)),
        1 => (0_usize..6, prop::sample::select(vec![10.0, 30.0, -1.0])).prop_map(|(n, value)| Step::Correct(n, value)),
        1 => (0_usize..6).prop_map(Step::Delete),
        2 => Just(Step::Jobs),
    ]
}

#[test]
fn any_history_leaves_the_table_as_the_model_says() {
    let db = TestDb::new();
    let (api, admin) = (RefCell::new(db.api(Caller::Anon)), RefCell::new(db.admin()));
    let histories = prop::collection::vec(step(), 1..8);
    TestRunner::new(cases(200))
        .run(&histories, |history| {
            let world = World::new(&db, &api, &admin);
            let mut model = Model::default();
            let mut rows = BTreeMap::new();
            for step in &history {
                let before = (model.clone(), versions(&mut admin.borrow_mut(), world.person));
                let expected = model.apply(step);
                let answer = world
                    .apply(step, &rows)
                    .map_err(|error| TestCaseError::fail(format!("{step:?}: {error:?}")))?;
                let (table, ids) = world.look();
                prop_assert_eq!(&table, &model, "after {:?}", step);
                prop_assert_eq!(
                    answer,
                    expected,
                    "inserted, updated, unchanged, merged, rejected by {:?}",
                    step
                );

                let now = versions(&mut admin.borrow_mut(), world.person);
                for (key, kept) in &model.0 {
                    // A name that moves in an upsert may settle a rival's priority twice on the way.
                    if before.0.0.get(key) == Some(kept) && !step.upserts_beside(key) {
                        prop_assert_eq!(
                            before.1.get(&rows[key]),
                            now.get(&ids[key]),
                            "{:?} rewrote {:?}",
                            step,
                            key
                        );
                    }
                }
                if matches!(step, Step::Jobs) {
                    prop_assert_eq!(world.baselines(), model.baselines());
                }
                rows = ids;
            }
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

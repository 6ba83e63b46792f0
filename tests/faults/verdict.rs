//! What is in the tables, beside what must be.

use std::collections::BTreeMap;

use welltrack_tests::simulator::Simulator;
use welltrack_tests::simulator::model::{Model, Row, Workout, differences, readings, workout};
use welltrack_tests::simulator::strava::Activity;

use crate::script::{Script, Step};
use crate::stage::Stage;

/// What the scripts must have led to.
pub(crate) fn expected(scripts: &[Script]) -> Model {
    let mut model = Model::default();
    for script in scripts {
        for index in 0..script.steps.len() {
            model.acknowledge(script.summaries(index));
        }
    }
    model
}

/// Distinct events that Strava told.
pub(crate) fn strava_events(scripts: &[Script]) -> usize {
    let steps = scripts.iter().flat_map(|script| &script.steps);
    steps.filter(|step| matches!(step, Step::Strava(_))).count()
}

/// Panics where the readings are not those of the model and of the activities that Strava has, or the workouts not
/// those activities.
pub(crate) fn judge(stage: &Stage, scripts: &[Script], model: &Model) {
    let activities = kept_activities(&stage.simulator, scripts);
    let mut expected = model.rows();
    expected.extend(activities.iter().flat_map(readings));
    let found = stage.readings();
    let wrong = differences(&expected, &found);
    // One story in full says more than many rows.
    let story = || {
        let missing = expected.iter().find(|row| !found.contains(row)).map(|row| row.record.as_str());
        missing.map(|record| stage.story(record)).unwrap_or_default()
    };
    assert!(
        wrong.is_empty(),
        "{} rows are wrong, such as\n{}\n{}",
        wrong.len(),
        wrong[..wrong.len().min(10)].join("\n"),
        story()
    );

    let kept: BTreeMap<String, Workout> =
        activities.iter().map(|activity| (activity.id.to_string(), workout(activity))).collect();
    let mut found = BTreeMap::new();
    for workout in stage.workouts() {
        let record = workout.record.clone();
        assert!(found.insert(record.clone(), workout).is_none(), "activity {record} is there twice");
    }
    assert_eq!(found, kept, "the workouts are not the activities that Strava has");
}

fn kept_activities(simulator: &Simulator, scripts: &[Script]) -> Vec<Activity> {
    let athletes: Vec<u64> = scripts.iter().map(|script| script.athlete).collect();
    let mut activities = simulator.activities();
    activities.retain(|activity| athletes.contains(&activity.athlete));
    activities
}

impl Stage {
    /// Providers' rows of `wt_health_metrics`, by the provider's id of the person.
    fn readings(&self) -> Vec<Row> {
        let sql = "
            select c.provider_user_id, m.metric_type::text, m.value_num,
                   extract(epoch from m.start_time)::bigint, extract(epoch from m.end_time)::bigint,
                   coalesce(m.source_record_id, ''), m.source = 'strava'
            from public.wt_health_metrics m
            join public.wt_health_connections c
              on c.profile_id = m.profile_id and c.provider::text = m.source::text";
        let rows = self.admin().query(sql, &[]).expect("rows can be read");
        rows.into_iter()
            .map(|row| Row {
                source: if row.get(6) { "strava" } else { "garmin" },
                user: row.get(0),
                metric: row.get(1),
                value: row.get(2),
                start: row.get(3),
                end: row.get(4),
                record: row.get(5),
            })
            .collect()
    }

    /// What the queue and the provider know of a record.
    fn story(&self, record: &str) -> String {
        let sql = "
            select concat_ws(' ', received_at, event_type, status, 'attempts', attempts, 'settled', processed_at,
                             'error', coalesce(last_error, 'none'))
            from public.wt_webhook_events where payload::text like '%' || $1 || '%' order by received_at";
        let events = self.admin().query(sql, &[&record]).expect("the queue can be read");
        let mut lines: Vec<String> = events.into_iter().map(|row| row.get(0)).collect();
        let asked = self.simulator.seen().into_iter().filter(|seen| seen.path.contains(record));
        lines.extend(asked.map(|seen| format!("asked {} -> {} {:?}", seen.path, seen.status, seen.fault)));
        format!("the story of {record}:\n{}", lines.join("\n"))
    }

    fn workouts(&self) -> Vec<Workout> {
        let sql = "
            select c.provider_user_id, w.source_record_id, w.name, extract(epoch from w.start_time)::bigint,
                   w.distance_m, w.is_private
            from public.wt_workouts w
            join public.wt_health_connections c on c.profile_id = w.profile_id and c.provider = 'strava'
            where w.source = 'strava'";
        let rows = self.admin().query(sql, &[]).expect("rows can be read");
        rows.into_iter()
            .map(|row| Workout {
                user: row.get(0),
                record: row.get(1),
                name: row.get(2),
                start: row.get(3),
                distance: row.get(4),
                is_private: row.get(5),
            })
            .collect()
    }

    /// Everything that the providers' pushes led to, without what differs between two runs by nature: ids and the
    /// times at which rows were written.
    pub(crate) fn everything(&self) -> Vec<String> {
        let sql = "
            with people as (
              select distinct on (profile_id) profile_id, provider_user_id as person
              from public.wt_health_connections order by profile_id, provider),
            kept as (
              select 'metric' as what, person, to_jsonb(m) as row
              from public.wt_health_metrics m join people using (profile_id)
              union all
              select 'workout', person, to_jsonb(w) from public.wt_workouts w join people using (profile_id)
              union all
              select 'load', person, to_jsonb(l) from public.wt_training_loads l join people using (profile_id))
            select line from (select what || ' ' || person || ' ' || (row - array['id', 'user_id', 'profile_id', 'workout_id',
              'dedupe_hash', 'recorded_at', 'reported_at', 'created_at', 'updated_at'])::text as line
            from kept) lines order by line collate \"C\"";
        let rows = self.admin().query(sql, &[]).expect("rows can be read");
        rows.into_iter().map(|row| row.get(0)).collect()
    }
}

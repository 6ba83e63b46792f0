//! What `cargo xtask report` writes, in a real browser: the demo's people, with what no demo has.
//!
//! Promises: how many marks of each kind there must be is counted in the database by this file alone, not by the report; the
//! pictures are read back as pictures. Stops at taste: `.welltrack/logs/report/` keeps screenshots to look at.

use std::fs;

use anyhow::{Result, ensure};
use resvg::tiny_skia::Pixmap;
use serde_json::{Value, json};
use welltrack_demo::{self as demo, report as pictures};
use welltrack_stack::Stack;
use welltrack_stack::cluster::Role;
use welltrack_stack::cmd::Cmd;
use welltrack_stack::files::remove;

use super::check::{Context, Report};
use super::database::migrated;
use crate::setup::browser::Browser;

/// Somebody who tries what a name can do.
const HOSTILE: &str = r#"'"&amp;</svg><script>document.title=1</script><img src=x onerror=alert()>"#;

pub(super) fn run(ctx: &Context, report: &mut Report) {
    let browser = report.check("headless Chromium", || {
        let _lock = ctx.layout.lock("setup")?;
        Browser::ensure(&ctx.layout)
    });
    let Some(stack) = report.check("people to draw", || peopled(ctx)) else { return };
    let folder = ctx.layout.state.join("logs/report");
    report.check("a report is written, and by name", || {
        remove(&folder)?;
        let all = pictures::write(&stack, None, &folder)?;
        ensure!(all.len() == 4, "a page and three pictures, not {all:?}");
        all[1..].iter().try_for_each(|file| not_blank(&fs::read(file)?))?;
        let one = pictures::write(&stack, Some("maya"), &folder.join("maya"))?;
        let page = fs::read_to_string(&one[0])?;
        ensure!(
            one.len() == 2 && page.contains("Maya Torres") && !page.contains("Arjun"),
            "{one:?} is not Maya's"
        );
        let error = pictures::write(&stack, Some("nobody"), &folder).err().map(|error| error.to_string());
        ensure!(error.as_ref().is_some_and(|error| error.contains("Maya Torres")), "it says {error:?}");
        Ok(())
    });
    let Some(browser) = browser else { return };
    report.check("the page in the browser, on a phone and at a desk", || {
        let expected = folder.join("expected.json");
        fs::write(&expected, counted(&stack)?.to_string())?;
        let test = Cmd::new("node").args(["--test", "tests/js/report.test.mjs"]).cwd(&ctx.layout.root);
        browser
            .lend(test)?
            .env("REPORT", &folder)
            .log(ctx.layout.log("browser"))
            .hint("the log names the failed checks; `cargo xtask test report` runs them again")
            .run()
    });
}

/// The demo's people: one with a hostile name, days without anything and days with too little, one still calibrating, one who
/// walks more every day.
fn peopled(ctx: &Context) -> Result<Stack> {
    let stack = migrated(ctx, "report")?;
    demo::fill(&stack)?;
    let name = HOSTILE.replace('\'', "''");
    let script = format!(
        "create temporary table who as
           select p.id as profile_id, p.display_name like 'Maya%' as is_new, max(s.score_date) as day
           from public.wt_profiles p join public.wt_recovery_scores s on s.profile_id = p.id
           where p.display_name not like 'Arjun%' group by p.id;
         with gone as (delete from public.wt_recovery_scores s using who w
                       where s.profile_id = w.profile_id
                         and case when is_new then s.score_date < w.day - 8
                                  else s.score_date in (w.day - 7, w.day - 8, w.day - 20) end
                       returning s.profile_id, s.score_date)
         delete from public.wt_daily_values v using gone g
         where v.profile_id = g.profile_id and v.local_date = g.score_date;
         update public.wt_recovery_scores s
         set status = (case when is_new then 'calibrating' else 'insufficient' end)::public.wt_score_status,
             recovery_score = null, days_missing = 5 * is_new::integer,
             sleep_component = null, hr_component = null, load_component = null,
             raw_data.hr_baseline_bpm = null, raw_data.hr_spread_bpm = null
         from who w
         where s.profile_id = w.profile_id and (is_new or s.score_date in (w.day - 3, w.day - 12));
         update public.wt_profiles set display_name = '{name}' where display_name = 'Eleni Markou';
         update public.wt_daily_values v
         set steps = 9500 + 150 * (v.local_date - f.as_of) + 300 * ((v.local_date - f.as_of) % 2)
         from public.wt_forecasts f where f.profile_id = v.profile_id and f.metric_type = 'steps';
         update public.wt_engine_marks
         set stale_from = null, stale_to = null, score_from = null, score_to = null, forecast_due = true"
    );
    stack.psql(Role::SupabaseAdmin, "postgres").args(["--quiet", "--command", &script]).capture()?;
    Ok(stack)
}

/// What the database has of each person, in the order of the page.
fn counted(stack: &Stack) -> Result<Value> {
    let rows = stack.query(
        Role::SupabaseAdmin,
        "select jsonb_build_object(
                  'name', p.display_name,
                  'recovery', (select jsonb_build_object(
                                 'score', count(recovery_score),
                                 'calibrating', count(*) filter (where status = 'calibrating'),
                                 'too few inputs', count(*) filter (where status = 'insufficient'),
                                 'nothing measured', max(score_date) - min(score_date) + 1 - count(*))
                               from public.wt_recovery_scores where profile_id = p.id),
                  'components', (select jsonb_build_object(
                                   'stress', count(stress_component), 'sleep', count(sleep_component),
                                   'hr', count(hr_component), 'load', count(load_component),
                                   'unknown', 4 * (max(score_date) - min(score_date) + 1) - count(stress_component)
                                              - count(sleep_component) - count(hr_component) - count(load_component))
                                 from public.wt_recovery_scores where profile_id = p.id),
                  'scores', (select jsonb_agg(jsonb_build_array(score_date - first, recovery_score) order by score_date)
                                    filter (where recovery_score is not null)
                             from (select *, min(score_date) over () as first
                                   from public.wt_recovery_scores where profile_id = p.id) s),
                  'baseline', (select count((raw_data).hr_baseline_bpm)
                               from public.wt_recovery_scores where profile_id = p.id),
                  'trend', (select f.status not in ('calibrating', 'too_few_points')
                            from public.wt_forecasts f where f.profile_id = p.id),
                  'ahead', (select f.projected_date - f.as_of from public.wt_forecasts f where f.profile_id = p.id),
                  'heart-rate', (select jsonb_build_object('heart rate', count(v.hr))
                                 from public.wt_daily_values v,
                                      (select min(score_date) as first, max(score_date) as last
                                       from public.wt_recovery_scores where profile_id = p.id) d
                                 where v.profile_id = p.id and v.local_date between d.first and d.last),
                  'goal', (select jsonb_build_object(
                             'value', (select count(to_jsonb(v) ->> g.metric_type::text) from public.wt_daily_values v
                                       where v.profile_id = p.id and v.local_date between f.as_of - 29 and f.as_of),
                             'projected', coalesce(f.projected_date - f.as_of <= 60, false)::integer)
                           from public.wt_goals g join public.wt_forecasts f on f.goal_id = g.id where g.profile_id = p.id))
         from public.wt_profiles p
         where exists (select from public.wt_recovery_scores s where s.profile_id = p.id)
         order by p.created_at, p.id",
    )?;
    let people = rows.iter().map(|row| Ok(serde_json::from_str(row)?)).collect::<Result<Vec<Value>>>()?;
    ensure!(people.len() == 3, "{} people have scores", people.len());
    Ok(json!(people))
}

/// A picture of the size of two columns, with white between many other colours.
fn not_blank(png: &[u8]) -> Result<()> {
    let picture = Pixmap::decode_png(png)?;
    ensure!(picture.width() == 1560 && picture.height() > 1200, "{} x {}", picture.width(), picture.height());
    let white = picture
        .pixels()
        .iter()
        .filter(|pixel| (pixel.red(), pixel.green(), pixel.blue()) == (255, 255, 255))
        .count();
    let drawn = 1.0 - white as f64 / picture.pixels().len() as f64;
    ensure!((0.03..0.5).contains(&drawn), "{:.1} % of the picture is drawn", drawn * 100.0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_paper_a_black_page_and_other_sizes_are_no_pictures() {
        let filled = |height, shade, drawn| {
            let mut picture = Pixmap::new(1560, height).expect("a size");
            let count = picture.pixels().len();
            let [white, other] =
                [255, shade].map(|c| resvg::tiny_skia::ColorU8::from_rgba(c, c, c, 255).premultiply());
            picture.pixels_mut()[..drawn].fill(other);
            picture.pixels_mut()[drawn..count].fill(white);
            picture.encode_png().expect("a picture")
        };
        assert!(not_blank(&filled(1500, 90, 1560 * 150)).is_ok());
        for picture in [filled(1500, 90, 0), filled(1500, 90, 1560 * 1500), filled(900, 90, 1560 * 90)] {
            assert!(not_blank(&picture).is_err());
        }
        assert!(not_blank(b"no picture").is_err());
    }
}

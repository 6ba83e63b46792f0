//! The control API, for those who start the stand-in as a program of its own.
//!
//! | request | does |
//! | --- | --- |
//! | `GET /` | says what this is |
//! | `GET /_control/environment` | the settings with which the functions meet this stand-in |
//! | `POST /_control/faults` | adds a [`Rule`], such as `{"endpoint":"strava_activity","fault":{"status":500},"when":{"times":3}}` |
//! | `DELETE /_control/faults` | heals everything |
//! | `GET /_control/requests` | every request seen |
//! | `PUT /_control/activities` | adds or replaces an activity |
//! | `DELETE /_control/activities/{id}` | forgets one |
//! | `POST /_control/strava/{athlete}/expire`, `.../revoke` | what becomes of that athlete's tokens |
//! | `POST /_control/push/garmin` | `{"to": "http://...", "envelope": {}}`: pushed until it is acknowledged |
//! | `POST /_control/push/days` | `{"to": "http://...", "user": "g1", "days": 60, "person": 0}`: the days of LifeSnaps' person 0, 1 ... or generated ones, edition by edition |
//! | `POST /_control/push/strava` | `{"to": "http://...", "event": {}}`: three attempts, two seconds each |

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::courier::{Courier, Delivery, Parcel};
use super::faults::Rule;
use super::recorder::Seen;
use super::strava::Activity;
use super::{Shared, garmin, history};

type At = State<Arc<Shared>>;

pub(super) async fn about() -> Json<Value> {
    Json(json!({
        "stand_in": true,
        "what": "provider-simulator: stands in for Garmin and Strava; nothing here is theirs",
        "control": "/_control",
    }))
}

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/environment", get(environment))
        .route("/faults", post(add_fault).delete(heal))
        .route("/requests", get(requests))
        .route("/activities", put(put_activity))
        .route("/activities/{id}", delete(delete_activity))
        .route("/strava/{athlete}/{what}", post(tokens))
        .route("/push/garmin", post(push_garmin))
        .route("/push/days", post(push_days))
        .route("/push/strava", post(push_strava))
}

async fn environment(State(shared): At) -> Json<Value> {
    Json(super::environment_of(&shared.settings, &shared.base_url).into_iter().collect())
}

async fn add_fault(State(shared): At, Json(rule): Json<Rule>) -> StatusCode {
    shared.state().faults.add(rule);
    StatusCode::NO_CONTENT
}

async fn heal(State(shared): At) -> StatusCode {
    shared.state().faults.clear();
    StatusCode::NO_CONTENT
}

async fn requests(State(shared): At) -> Json<Vec<Seen>> {
    Json(shared.state().seen.clone())
}

async fn put_activity(State(shared): At, Json(activity): Json<Activity>) -> StatusCode {
    shared.state().activities.insert(activity.id, activity);
    StatusCode::NO_CONTENT
}

async fn delete_activity(State(shared): At, Path(id): Path<u64>) -> StatusCode {
    match shared.state().activities.remove(&id) {
        Some(_) => StatusCode::NO_CONTENT,
        None => StatusCode::NOT_FOUND,
    }
}

async fn tokens(State(shared): At, Path((athlete, what)): Path<(String, String)>) -> StatusCode {
    let mut state = shared.state();
    match what.as_str() {
        "expire" => state.strava.expire(&athlete),
        "revoke" => state.strava.revoke(&athlete),
        _ => return StatusCode::NOT_FOUND,
    }
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct GarminPush {
    to: String,
    envelope: Value,
}

async fn push_garmin(State(shared): At, Json(push): Json<GarminPush>) -> impl IntoResponse {
    let parcel = Parcel::garmin(&push.envelope);
    Json(Delivery::summary(&Courier::new(&shared.settings).deliver(&parcel, |_| push.to.clone()).await))
}

#[derive(Deserialize)]
struct Days {
    to: String,
    user: String,
    days: usize,
    person: usize,
}

async fn push_days(State(shared): At, Json(asked): Json<Days>) -> Result<Json<Value>, (StatusCode, String)> {
    let (source, mut people) = history::people(asked.person + 1, asked.days, shared.settings.seed, 0)
        .map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}")))?;
    let days = people.swap_remove(asked.person).days;
    let parcels: Vec<Parcel> = days
        .iter()
        .flat_map(|day| garmin::of_day(&asked.user, day))
        .map(|summary| Parcel::garmin(&garmin::envelope([&summary])))
        .collect();
    let deliveries = Courier::new(&shared.settings).deliver_all(&parcels, 1, &asked.to).await;
    let acknowledged = deliveries.iter().filter(|delivery| delivery.acknowledged()).count();
    let took: Vec<Value> = deliveries.iter().flat_map(Delivery::micros).collect();
    Ok(Json(
        json!({"source": source, "pushes": parcels.len(), "acknowledged": acknowledged, "ack_micros": took}),
    ))
}

#[derive(Deserialize)]
struct StravaPush {
    to: String,
    event: Value,
}

async fn push_strava(State(shared): At, Json(push): Json<StravaPush>) -> impl IntoResponse {
    let parcel = Parcel::strava(&push.event);
    Json(Delivery::summary(&Courier::new(&shared.settings).deliver(&parcel, |_| push.to.clone()).await))
}

//! A function that is called by itself: on notifications, by a slow poll behind them, by a schedule.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use http::{HeaderValue, Method, Request, header};
use serde_json::json;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::runtime::{self, Call, Function};
use crate::settings::{Environment, SqlName};

/// A run whose answer has this header wants another one: at once where it left work undone that it knows of, after a pause where
/// the header says `soon`, for it left the work to others.
const RUN_AGAIN: &str = "x-run-again";

/// The pause before `soon`: doubled each time until one finds work again, so that many hosts at one queue don't spend their time
/// on looking whether they are needed. The longest is how long work may wait for another when its host dies.
const SOON: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(160)];

/// Between two runs that end badly, so that a function that always fails doesn't keep the machine busy.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// A function that is called by itself.
pub(super) struct Triggered {
    pub(super) function: Arc<Function>,
    url: http::Uri,
    token: HeaderValue,
    /// Runs at once.
    room: Semaphore,
    /// Holds one word of work, however many came: a run that begins later sees all that was there before.
    work: Notify,
    /// What the last notification said.
    payload: Mutex<Option<String>>,
}

impl Triggered {
    pub(super) fn new(function: Arc<Function>, environment: &Environment) -> Self {
        let limits = &function.settings().limits;
        let room = usize::try_from(limits.max_parallel_runs.0).unwrap_or(1);
        let mut token = HeaderValue::from_str(&format!("Bearer {}", environment.service_key.expose()))
            .unwrap_or(HeaderValue::from_static("Bearer"));
        token.set_sensitive(true);
        let url = format!("{}/{}", environment.url, function.name()).parse().unwrap_or_default();
        Self {
            url,
            token,
            room: Semaphore::new(room),
            work: Notify::new(),
            payload: Mutex::default(),
            function,
        }
    }

    pub(super) fn notify(&self, payload: Option<String>) {
        if payload.is_some() {
            *self.payload.lock().unwrap_or_else(PoisonError::into_inner) = payload;
        }
        self.work.notify_one();
    }

    /// Runs the function whenever there is word of work.
    pub(super) async fn obey(self: Arc<Self>, stop: CancellationToken) {
        let [shortest, longest] = SOON;
        let mut pause = shortest;
        while stop.run_until_cancelled(self.work.notified()).await.is_some() {
            loop {
                let payload = self.payload.lock().unwrap_or_else(PoisonError::into_inner).take();
                self.function.metrics().notified();
                match self.run("notify", payload.as_deref()).await {
                    After::Again if !stop.is_cancelled() => pause = shortest,
                    After::AgainSoon => {
                        if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                            break;
                        }
                        pause = longest.min(2 * pause);
                    }
                    After::Failure => {
                        stop.run_until_cancelled(tokio::time::sleep(AFTER_FAILURE)).await;
                        break;
                    }
                    _ => {
                        pause = shortest;
                        break;
                    }
                }
            }
        }
    }

    /// A slow poll behind the notifications: work may fall due by itself, and a notification can get lost with a connection.
    pub(super) async fn poll(self: Arc<Self>, stop: CancellationToken) {
        let pause = Duration::from_secs(self.function.settings().limits.poll_s.0);
        while stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
            self.notify(None);
        }
    }

    pub(super) async fn run(&self, trigger: &str, payload: Option<&str>) -> After {
        // Never closed.
        let _room = self.room.acquire().await;
        let id: Arc<str> = uuid::Uuid::now_v7().to_string().into();
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.url.clone())
            .header(header::AUTHORIZATION, self.token.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(crate::REQUEST_ID, &*id)
            .body(Body::from(json!({ "trigger": trigger, "payload": payload }).to_string()));
        let Ok(request) = request else { return After::Failure };
        let answer = runtime::call(
            &self.function,
            Call { request, https: self.url.scheme_str() == Some("https"), id },
        )
        .await;
        let (status, again) = (answer.status(), answer.headers().get(RUN_AGAIN).cloned());
        // A run is over when its answer is, and an answer that nobody reads would stand still.
        let whole = http_body_util::BodyExt::collect(answer.into_body()).await.is_ok();
        match status.is_success() && whole {
            true => match again {
                Some(when) if when == "soon" => After::AgainSoon,
                Some(_) => After::Again,
                None => After::Rest,
            },
            false => {
                tracing::warn!(
                    function = self.function.name(),
                    trigger,
                    status = status.as_u16(),
                    "a run failed"
                );
                After::Failure
            }
        }
    }
}

/// What comes after a run.
pub(super) enum After {
    Again,
    AgainSoon,
    Rest,
    Failure,
}

/// Who is to be told of a notification on a channel.
pub(super) type Listeners = Vec<(SqlName, Arc<Triggered>)>;

//! Answers to refusals in the format that the client prefers, text or JSON, or in one of the application's own.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{Accept, Header, Quality};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, HttpResponse};
use futures::FutureExt;
use futures::future::LocalBoxFuture;

use super::failure::{chain, short, string};
use super::refused::Refused;
use crate::pool::RunError;
use crate::util::log;
use crate::util::panic::catch;

thread_local! {
    /// True while the middleware polls a handler: the middleware then logs the refusal, since it knows the request.
    static IN_MIDDLEWARE: Cell<bool> = const { Cell::new(false) };
}

/// Middleware, for [`from_fn`](actix_web::middleware::from_fn), that answers a [`Refused`], or a [`RunError`], in the format of the
/// request's `Accept` header, by [`Refused::answer`], and logs failed items with the request's path.
///
/// Without it every client gets text, since a `ResponseError` does not have the request. Middlewares that add headers
/// to answers must be wrapped around it, by a later call of `wrap`.
///
/// ```
/// use actix_web::App;
/// use actix_web::middleware::from_fn;
///
/// let app = App::new().wrap(from_fn(actix_fan::web::refusals));
/// # let _ = app;
/// ```
///
/// # Errors
///
/// The errors of the service, unchanged.
pub async fn refusals<B>(request: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<BoxBody>, Error>
where
    B: MessageBody + 'static,
{
    answered(request, next, Refused::answer).await
}

/// As [`refusals`], with answers of the application. `answer` can start from the one of [`Refused::answer`], and
/// [`Refused::item_error`] has the causes of a failed item. If `answer` panics, the client gets that of
/// [`Refused::answer`].
///
/// ```
/// use actix_fan::web::{Refused, refusals_with};
/// use actix_web::middleware::from_fn;
/// use actix_web::{App, HttpRequest, HttpResponse, ResponseError};
///
/// fn page(refused: &Refused, _: &HttpRequest) -> HttpResponse {
///     HttpResponse::build(refused.status_code())
///         .content_type("text/html")
///         .body("<h1>Come back later</h1>")
/// }
///
/// let app = App::new().wrap(from_fn(refusals_with(page)));
/// # let _ = app;
/// ```
pub fn refusals_with<B, A>(
    answer: A,
) -> impl Fn(ServiceRequest, Next<B>) -> LocalBoxFuture<'static, Result<ServiceResponse<BoxBody>, Error>> + Clone + 'static
where
    B: MessageBody + 'static,
    A: Fn(&Refused, &HttpRequest) -> HttpResponse + Clone + 'static,
{
    move |request, next| answered(request, next, answer.clone()).boxed_local()
}

async fn answered<B, A>(request: ServiceRequest, next: Next<B>, answer: A) -> Result<ServiceResponse<BoxBody>, Error>
where
    B: MessageBody + 'static,
    A: Fn(&Refused, &HttpRequest) -> HttpResponse,
{
    let response = in_middleware(next.call(request)).await?;
    let Some(error) = response.response().error() else { return Ok(response.map_into_boxed_body()) };
    let of_a_run = error.as_error::<RunError>().map(|error| Refused::from(error.clone()));
    let Some(refused) = of_a_run.as_ref().or_else(|| error.as_error::<Refused>()) else {
        return Ok(response.map_into_boxed_body());
    };
    let request = response.request();
    refused.log(short(request.uri().path()));
    let answer = catch(|| answer(refused, request)).unwrap_or_else(|_| refused.answer(request));
    Ok(response.into_response(answer))
}

/// Polls `future` with the logging of refusals left to the caller.
async fn in_middleware<F: Future>(future: F) -> F::Output {
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            IN_MIDDLEWARE.set(self.0);
        }
    }

    let mut future = pin!(future);
    poll_fn(|cx| {
        let _before = Before(IN_MIDDLEWARE.replace(true));
        future.as_mut().poll(cx)
    })
    .await
}

impl Refused {
    /// Returns the answer in the format that the request's `Accept` header prefers, JSON or text; text if it accepts
    /// neither. The JSON is `{"error":"...","status":503,"retry_after":3}`, where `retry_after` is the value of the
    /// header `Retry-After`, if there is one.
    pub fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let mut answer = self.build();
        if !prefers_json(request) {
            return answer.body(format!("{}\n", self.message()));
        }
        let mut body = br#"{"error":"#.to_vec();
        string(&self.message(), &mut body);
        body.extend_from_slice(format!(r#","status":{}"#, self.status().as_u16()).as_bytes());
        if let Some(seconds) = self.retry_seconds() {
            body.extend_from_slice(format!(r#","retry_after":{seconds}"#).as_bytes());
        }
        body.extend_from_slice(b"}\n");
        answer.content_type("application/json").body(body)
    }

    /// Logs the causes, which the client does not get.
    pub(super) fn log(&self, path: &str) {
        if self.is_fault() {
            log::warn!("{path}: answered with 500: {}", chain(self));
        }
    }

    /// The same without the request's path, unless the middleware logs them.
    pub(super) fn log_outside_middleware(&self) {
        if self.is_fault() && !IN_MIDDLEWARE.get() {
            log::warn!("answered with 500: {}", chain(self));
        }
    }
}

/// Returns true if, of the media types that the request accepts, the best one that is JSON or text is JSON.
fn prefers_json(request: &HttpRequest) -> bool {
    let Ok(mut accept) = Accept::parse(request) else { return false };
    accept.0.retain(|kind| kind.quality > Quality::ZERO);
    let json = |kind: &actix_web::mime::Mime| match (kind.type_().as_str(), kind.subtype().as_str()) {
        ("application", "json" | "x-ndjson" | "*") => Some(true),
        ("text" | "*", _) => Some(false),
        _ => kind.suffix().map(|suffix| suffix.as_str() == "json").filter(|json| *json),
    };
    accept.ranked().iter().find_map(json).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn json_is_for_clients_that_prefer_it() {
        let prefers = |accept: &'static str| {
            prefers_json(&TestRequest::default().insert_header(("Accept", accept)).to_http_request())
        };
        for json in ["application/json", "application/*, */*;q=0.1", "application/problem+json", "application/x-ndjson"]
        {
            assert!(prefers(json), "{json}");
        }
        // Of a browser, of curl, and others.
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        for text in [browser, "*/*", "text/plain", "text/event-stream", "image/png", "", "?", "application/json;q=0"] {
            assert!(!prefers(text), "{text}");
        }
        assert!(prefers("text/plain;q=0.5, application/json"));
        assert!(!prefers("text/plain, application/json;q=0.5"));
        assert!(!prefers_json(&TestRequest::default().to_http_request()));
    }
}

//! Refusals in the form that a client reads: text for people, JSON for programs, or the application's own.

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
use crate::util::log;
use crate::util::panic::catch;

thread_local! {
    /// An answer to a refusal that is made now is looked at by the middleware, which knows the request.
    static LOOKED_AT: Cell<bool> = const { Cell::new(false) };
}

/// Middleware, for [`from_fn`](actix_web::middleware::from_fn): answers a [`Refused`] in the form that the request's
/// `Accept` asks for, by [`Refused::answer`], and logs failed items with the request's path.
///
/// A `ResponseError` doesn't see the request, so that without this every client gets text. Whatever adds headers to
/// answers is to be wrapped around it, which is to say after it.
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
/// Those of the service, as they are.
pub async fn refusals<B>(request: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<BoxBody>, Error>
where
    B: MessageBody + 'static,
{
    answered(request, next, Refused::answer).await
}

/// [`refusals`], with answers of the application's own. `answer` may begin with that of [`Refused::answer`], and has the
/// causes of a failed item in [`Refused::item_error`].
///
/// ```
/// use actix_fan::web::{Refused, refusals_with};
/// use actix_web::middleware::from_fn;
/// use actix_web::{App, HttpRequest, HttpResponse, ResponseError};
///
/// fn page(refused: &Refused, _: &HttpRequest) -> HttpResponse {
///     HttpResponse::build(refused.status_code()).content_type("text/html").body("<h1>Come back later</h1>")
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
    let response = looked_at(next.call(request)).await?;
    let Some(refused) = response.response().error().and_then(Error::as_error::<Refused>) else {
        return Ok(response.map_into_boxed_body());
    };
    let request = response.request();
    refused.log(short(request.uri().path()));
    let answer = catch(|| answer(refused, request)).unwrap_or_else(|_| refused.answer(request));
    Ok(response.into_response(answer))
}

/// `future`, where refusals are logged by whoever awaits it.
async fn looked_at<F: Future>(future: F) -> F::Output {
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            LOOKED_AT.set(self.0);
        }
    }

    let mut future = pin!(future);
    poll_fn(|cx| {
        let _before = Before(LOOKED_AT.replace(true));
        future.as_mut().poll(cx)
    })
    .await
}

impl Refused {
    /// The answer, in the form that the request's `Accept` prefers: JSON, `{"error":"...","status":503,"retry_after":3}`
    /// with the last field only where there is such a header, or the same words as text, also where neither is
    /// acceptable.
    pub fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let mut answer = self.build();
        if !prefers_json(request) {
            return answer.body(format!("{}\n", self.told()));
        }
        let mut body = br#"{"error":"#.to_vec();
        string(&self.told(), &mut body);
        body.extend_from_slice(format!(r#","status":{}"#, self.status().as_u16()).as_bytes());
        if let Some(seconds) = self.retry_seconds() {
            body.extend_from_slice(format!(r#","retry_after":{seconds}"#).as_bytes());
        }
        body.extend_from_slice(b"}\n");
        answer.content_type("application/json").body(body)
    }

    /// Tells the log what the client isn't told.
    pub(super) fn log(&self, path: &str) {
        if self.is_fault() {
            log::warn!("{path}: answered with 500: {}", chain(self));
        }
    }

    /// The same where the request isn't known, unless the middleware does it.
    pub(super) fn log_unless_looked_at(&self) {
        if self.is_fault() && !LOOKED_AT.get() {
            log::warn!("answered with 500: {}", chain(self));
        }
    }
}

/// By the first of what it accepts that is either.
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
    fn json_is_for_those_who_prefer_it() {
        let prefers = |accept: &'static str| {
            prefers_json(&TestRequest::default().insert_header(("Accept", accept)).to_http_request())
        };
        for json in ["application/json", "application/*, */*;q=0.1", "application/problem+json", "application/x-ndjson"]
        {
            assert!(prefers(json), "{json}");
        }
        // A browser's, curl's, and others.
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        for text in [browser, "*/*", "text/plain", "text/event-stream", "image/png", "", "?", "application/json;q=0"] {
            assert!(!prefers(text), "{text}");
        }
        assert!(prefers("text/plain;q=0.5, application/json"));
        assert!(!prefers("text/plain, application/json;q=0.5"));
        assert!(!prefers_json(&TestRequest::default().to_http_request()));
    }
}

//! One item a request.

use std::time::Duration;

use actix_web::rt::time::timeout;

use super::refused::Refused;
use crate::pool::Pool;

/// Submits an item from a handler, if there is credit for it now, and awaits its result.
///
/// A request waits no longer than the pool's window makes it. Those that would rather wait for credit call
/// [`Pool::submit`], where the line has no end, and those that want a refused item back [`Pool::try_submit`].
///
/// # Errors
///
/// [`Refused`], which is its own answer: 503 with `Retry-After` when the pool is full, 500 when the item failed, 503
/// when the pool is closed.
///
/// # Examples
///
/// ```
/// use actix_fan::Pool;
/// use actix_fan::web::{Refused, submit};
/// use actix_web::web::{Data, Path};
///
/// async fn square(squares: Data<Pool<u64, u64>>, n: Path<u64>) -> Result<String, Refused> {
///     Ok(submit(&squares, *n).await?.to_string())
/// }
/// # let _ = square;
/// ```
pub async fn submit<I, O>(pool: &Pool<I, O>, item: I) -> Result<O, Refused>
where
    I: Send + 'static,
    O: Send + 'static,
{
    let submission = pool.try_submit(item).map_err(|error| Refused::by(pool, error))?;
    submission.await.map_err(|error| Refused::by(pool, error))
}

/// As [`submit`], and gives the item up when its result is not there within `deadline`: one that has not begun never
/// will, and its credit is free at once; one that runs can see it by [`Job::is_stopped`](crate::Job::is_stopped), and its
/// credit returns when its work does.
///
/// Where all requests to a pool have one deadline, those that fill it now have left when that has passed. So a full pool asks
/// its clients to come back after the deadline at the latest, however long the items in it would take.
///
/// # Errors
///
/// As [`submit`], and [`Refused::Late`], which answers 504.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use actix_fan::Pool;
/// use actix_fan::web::{Refused, submit_within};
/// use actix_web::web::{Data, Path};
///
/// async fn square(squares: Data<Pool<u64, u64>>, n: Path<u64>) -> Result<String, Refused> {
///     Ok(submit_within(&squares, *n, Duration::from_secs(2)).await?.to_string())
/// }
/// # let _ = square;
/// ```
pub async fn submit_within<I, O>(pool: &Pool<I, O>, item: I, deadline: Duration) -> Result<O, Refused>
where
    I: Send + 'static,
    O: Send + 'static,
{
    match timeout(deadline, submit(pool, item)).await {
        Ok(Err(Refused::Full { retry_after })) => Err(Refused::Full { retry_after: retry_after.min(deadline) }),
        Ok(result) => result,
        Err(_) => Err(Refused::Late { deadline }),
    }
}

//! The HTTP server of the endpoint: it answers `GET /metrics` and nothing else. Clients are not trusted: requests,
//! connections and patience are bounded, and all of them together get one thread of low priority and a page that is
//! written out a few times a second, so that neither a slow client nor many of them can hold up a round.

use std::{
    convert::Infallible,
    io,
    net::TcpListener,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{ALLOW, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::{
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};

/// Connections at a time; more wait in the system's queue.
const CONNECTIONS: usize = 128;
/// Bytes and lines of a request's head.
const HEAD: (usize, usize) = (8192, 64);
/// For the head of a request to come in.
const HEAD_PATIENCE: Duration = Duration::from_secs(3);
/// For a connection, from the first byte to the last one of the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How old a page may be.
const FRESH: Duration = Duration::from_millis(100);
/// Between attempts to accept, where the system lacks something for it.
const PAUSE: Duration = Duration::from_millis(100);

/// Answers those who connect to `listener`, until it is dropped.
///
/// # Errors
/// Those of a listener that cannot be used without blocking.
pub(super) async fn serve(listener: TcpListener, metrics: PrometheusHandle) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let seats = Arc::new(Semaphore::new(CONNECTIONS));
    let page = Arc::new(Page { metrics, written: Mutex::new(None) });
    while let Ok(seat) = seats.clone().acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(attend(stream, page.clone(), seat))),
            Err(_) => sleep(PAUSE).await,
        }
    }
    Ok(())
}

/// One connection, for one request. A client that is slow, wrong or gone is its own affair.
async fn attend(stream: TcpStream, page: Arc<Page>, _seat: OwnedSemaphorePermit) {
    let service = service_fn(|request: Request<Incoming>| {
        let response = answer(request.method(), request.uri().path(), &page);
        async move { Ok::<_, Infallible>(response) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_PATIENCE);
    http.max_buf_size(HEAD.0).max_headers(HEAD.1).keep_alive(false);
    let _ = timeout(PATIENCE, http.serve_connection(TokioIo::new(stream), service)).await;
}

fn answer(method: &Method, path: &str, page: &Page) -> Response<Full<Bytes>> {
    let (status, body) = match (path, method) {
        ("/metrics", &Method::GET | &Method::HEAD) => (StatusCode::OK, page.text()),
        ("/metrics", _) => (StatusCode::METHOD_NOT_ALLOWED, "metrics can be read, and nothing else\n".into()),
        _ => (StatusCode::NOT_FOUND, "metrics are at /metrics\n".into()),
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

/// The metrics written out, for all who ask at the same time.
struct Page {
    metrics: PrometheusHandle,
    written: Mutex<Option<(Instant, Bytes)>>,
}

impl Page {
    fn text(&self) -> Bytes {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        match &*written {
            Some((at, text)) if at.elapsed() < FRESH => text.clone(),
            _ => {
                let text = Bytes::from(self.metrics.render());
                *written = Some((Instant::now(), text.clone()));
                text
            }
        }
    }
}

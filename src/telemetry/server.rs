//! The HTTP server of the endpoint: it answers `GET /metrics` and nothing else. Clients are not trusted: requests,
//! connections and patience are bounded, and all of them together get one thread of low priority and a page that is
//! written out a few times a second, so that neither a slow client nor many of them can hold up a round.

use std::{
    convert::Infallible,
    io,
    net::TcpListener,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
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

/// Answers those who connect to `listener` with the page, until it is dropped.
///
/// # Errors
/// Those of a listener that cannot be used without blocking.
pub(super) async fn serve(listener: TcpListener, page: Arc<Page>) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let seats = Arc::new(Semaphore::new(CONNECTIONS));
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
    let told = OnceLock::new();
    let service = service_fn(|request: Request<Incoming>| {
        let response = answer(request.method(), request.uri().path(), &page, &told);
        async move { Ok::<_, Infallible>(response) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_PATIENCE);
    http.max_buf_size(HEAD.0).max_headers(HEAD.1).keep_alive(false);
    let done = timeout(PATIENCE, http.serve_connection(TokioIo::new(stream), service)).await;
    if let (Ok(Ok(())), Some(&word)) = (done, told.get()) {
        page.reached(word);
    }
}

/// What is answered. `told` is what a page says that is sent.
fn answer(method: &Method, path: &str, page: &Page, told: &OnceLock<Word>) -> Response<Full<Bytes>> {
    let (status, body) = match (path, method) {
        ("/metrics", &Method::GET | &Method::HEAD) => {
            let (text, word) = page.text();
            if method == Method::GET {
                told.get_or_init(|| word);
            }
            (StatusCode::OK, text)
        }
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

/// Which word on a run a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    /// Another one follows.
    Passing,
    /// It was written after the end.
    Last,
}

/// The metrics written out, for all who ask at the same time; and who has read them.
pub(super) struct Page {
    metrics: PrometheusHandle,
    sheet: Mutex<Sheet>,
    read: AtomicBool,
    read_to_the_end: AtomicBool,
}

/// What is written on a page.
struct Sheet {
    word: Word,
    written: Option<(Instant, Bytes)>,
}

impl Page {
    /// A page of these metrics, which nobody has read.
    pub fn new(metrics: PrometheusHandle) -> Self {
        let sheet = Mutex::new(Sheet { word: Word::Passing, written: None });
        Self { metrics, sheet, read: AtomicBool::new(false), read_to_the_end: AtomicBool::new(false) }
    }

    /// The metrics change no more: what is read from now on is the last word.
    pub fn conclude(&self) {
        *self.sheet() = Sheet { word: Word::Last, written: None };
    }

    /// Whether somebody has read it.
    pub fn was_read(&self) -> bool {
        self.read.load(Ordering::Relaxed)
    }

    /// Whether somebody has read its last word.
    pub fn was_read_to_the_end(&self) -> bool {
        self.read_to_the_end.load(Ordering::Relaxed)
    }

    /// A client has all of a page.
    fn reached(&self, word: Word) {
        self.read.store(true, Ordering::Relaxed);
        self.read_to_the_end.fetch_or(word == Word::Last, Ordering::Relaxed);
    }

    fn text(&self) -> (Bytes, Word) {
        let mut sheet = self.sheet();
        let fresh = sheet.written.as_ref().filter(|(at, _)| at.elapsed() < FRESH);
        let text = fresh.map(|(_, text)| text.clone()).unwrap_or_else(|| Bytes::from(self.metrics.render()));
        if fresh.is_none() {
            sheet.written = Some((Instant::now(), text.clone()));
        }
        (text, sheet.word)
    }

    fn sheet(&self) -> MutexGuard<'_, Sheet> {
        self.sheet.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    #[test]
    fn the_last_word_is_written_anew_and_read_when_all_of_it_arrived() {
        let page = Page::new(PrometheusBuilder::new().build_recorder().handle());
        let told = OnceLock::new();
        answer(&Method::HEAD, "/metrics", &page, &told);
        answer(&Method::GET, "/", &page, &told);
        assert_eq!(told.get(), None, "nobody was told anything");
        answer(&Method::GET, "/metrics", &page, &told);
        assert_eq!((told.get(), page.was_read()), (Some(&Word::Passing), false), "it may not arrive");
        page.reached(Word::Passing);
        page.conclude();
        assert_eq!((page.was_read(), page.was_read_to_the_end()), (true, false));
        let told = OnceLock::new();
        answer(&Method::GET, "/metrics", &page, &told);
        assert_eq!(told.get(), Some(&Word::Last), "not the page of a moment ago");
        page.reached(Word::Last);
        assert!(page.was_read_to_the_end());
    }
}

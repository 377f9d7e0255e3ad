//! The weights of single workers, which no table holds: from the endpoint of a
//! run that shows series of its workers.

use std::time::Duration;

use crate::telemetry::names::WORKER_WEIGHT;

/// How long an endpoint may take: it is on this machine or it is not there.
const TIMEOUT: Duration = Duration::from_millis(500);

/// Id, whether honest, and weight of the workers that the endpoint at `url` shows; none if it does not answer.
pub fn scrape(url: &str) -> Vec<(usize, bool, f64)> {
    let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).build().into();
    let text = agent.get(url).call().and_then(|answer| answer.into_body().read_to_string());
    text.map(|text| parse(&text)).unwrap_or_default()
}

fn parse(text: &str) -> Vec<(usize, bool, f64)> {
    let series = text.lines().filter_map(|line| line.strip_prefix(WORKER_WEIGHT.name)?.strip_prefix('{'));
    let mut workers: Vec<_> = series.filter_map(worker).collect();
    workers.sort_by_key(|(id, ..)| *id);
    workers
}

fn worker(series: &str) -> Option<(usize, bool, f64)> {
    let (labels, value) = series.rsplit_once("} ")?;
    let label = |name: &str| labels.split(',').find_map(|label| label.strip_prefix(name)?.strip_suffix('"'));
    Some((label("worker=\"")?.parse().ok()?, label("role=\"")? == "honest", value.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn weights_are_found_among_other_series() {
        let text = "# HELP phalanx_worker_weight_ratio w\n\
            phalanx_worker_weight_ratio{run=\"a\",rule=\"ctma,nnm\",worker=\"10\",role=\"byzantine\"} 0.25\n\
            phalanx_worker_weight_ratio{run=\"a\",worker=\"2\",role=\"honest\"} 1e-3\n\
            phalanx_worker_distance{worker=\"2\",role=\"honest\"} 7\n";
        assert_eq!(parse(text), [(2, true, 1e-3), (10, false, 0.25)]);
    }
}

//! When a round closes, in virtual time: with how many vectors, and which of them are in time.

/// When a round closes, in virtual time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Closing {
    /// The round closes with so many vectors, those that arrive first; none: with all.
    pub quorum: Option<usize>,
    /// Virtual seconds after which nobody is waited for.
    pub deadline: f64,
}

impl Default for Closing {
    /// With all vectors, or after a minute.
    fn default() -> Self {
        Self { quorum: None, deadline: 60.0 }
    }
}

impl Closing {
    /// Those of `arrivals` that come when the quorum is reached already, by worker id. What arrives at one time is ordered
    /// by `lot`: ids would favour the honest workers, who have the lowest.
    pub(super) fn beyond(
        &self,
        mut arrivals: Vec<(f64, usize)>,
        lot: impl Fn(usize) -> u64,
    ) -> Vec<(f64, usize)> {
        let quorum = self.quorum.unwrap_or(usize::MAX);
        if arrivals.len() <= quorum {
            return Vec::new();
        }
        arrivals.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let (last, next) = (arrivals[quorum.saturating_sub(1)].0, arrivals[quorum].0);
        if last == next {
            let first = arrivals.partition_point(|(seconds, _)| *seconds < last);
            let tied = arrivals[first..].partition_point(|(seconds, _)| *seconds == last);
            arrivals[first..first + tied].sort_by_cached_key(|&(_, worker)| lot(worker));
        }
        let mut late = arrivals.split_off(quorum);
        late.sort_unstable_by_key(|(_, worker)| *worker);
        late
    }

    /// When a round closes that these arrivals were in time for, and in which somebody may have been waited for in vain.
    pub(super) fn seconds(&self, in_time: impl Iterator<Item = f64>, in_vain: bool) -> f64 {
        let (count, last) = in_time.fold((0, 0f64), |(count, last), time| (count + 1, last.max(time)));
        let waits = in_vain && self.quorum.is_none_or(|quorum| count < quorum);
        if waits { self.deadline } else { last }
    }
}

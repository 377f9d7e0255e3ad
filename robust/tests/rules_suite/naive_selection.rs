//! Oracles that choose rows: by distances, norms, subsets, clusters.

use crate::{
    naive::{average, clipped, distance, mean, mean_all, midpoint, norm},
    stage::Rows,
};

/// Indices by ascending key, equal ones by index.
pub fn order_by(n: usize, key: impl Fn(usize) -> f64) -> Vec<usize> {
    let mut all: Vec<usize> = (0..n).collect();
    all.sort_by(|&a, &b| key(a).partial_cmp(&key(b)).unwrap());
    all
}

fn mean_of(x: &Rows, rows: &[usize]) -> Vec<f64> {
    mean(&rows.iter().map(|&i| &x[i]).collect::<Vec<_>>())
}

pub fn nearest_mean(x: &Rows, point: &[f64], keep: usize) -> Vec<f64> {
    mean_of(x, &order_by(x.len(), |i| distance(&x[i], point))[..keep])
}

/// The mean of the ⌊m/2⌋ + 1 rows around the one of the least sum of distances.
pub fn majority(x: &Rows) -> Vec<f64> {
    let centre = order_by(x.len(), |i| x.iter().map(|r| distance(&x[i], r)).sum())[0];
    nearest_mean(x, &x[centre], x.len() / 2 + 1)
}

pub fn least_norms(x: &Rows, keep: usize) -> Vec<f64> {
    mean_of(x, &order_by(x.len(), |i| norm(&x[i]))[..keep])
}

pub fn nnm(x: &Rows, f: usize) -> Rows {
    x.iter().map(|r| nearest_mean(x, r, x.len() - f)).collect()
}

pub fn krum_scores(x: &Rows, among: &[usize], neighbours: usize, power: i32) -> Vec<f64> {
    among
        .iter()
        .map(|&i| {
            let mut all: Vec<f64> =
                among.iter().filter(|&&j| j != i).map(|&j| distance(&x[i], &x[j])).collect();
            all.sort_by(|a, b| a.partial_cmp(b).unwrap());
            all.iter().take(neighbours).map(|d| d.powi(power)).sum()
        })
        .collect()
}

pub fn multi_krum(x: &Rows, neighbours: usize, power: i32, keep: usize) -> Vec<f64> {
    let scores = krum_scores(x, &(0..x.len()).collect::<Vec<_>>(), neighbours, power);
    mean_of(x, &order_by(x.len(), |i| scores[i])[..keep])
}

pub fn bulyan(x: &Rows, f: usize, median: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let mut left: Vec<usize> = (0..x.len()).collect();
    let mut chosen = Vec::new();
    for _ in 0..x.len() - 2 * f {
        let scores = krum_scores(x, &left, left.len().saturating_sub(f + 2), 2);
        chosen.push(x[left.remove(order_by(left.len(), |i| scores[i])[0])].clone());
    }
    crate::naive::by_column(&chosen, |v| crate::naive::around(v, median(v), x.len() - 4 * f))
}

/// All subsets of k of n, in lexicographic order.
pub fn subsets(n: usize, k: usize) -> Vec<Vec<usize>> {
    if k == 0 {
        return vec![Vec::new()];
    }
    (k - 1..n)
        .flat_map(|last| {
            subsets(last, k - 1).into_iter().map(move |mut s| {
                s.push(last);
                s
            })
        })
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect()
}

/// The mean of the first subset of m - f with the least cost.
pub fn best_subset(x: &Rows, f: usize, cost: impl Fn(&[usize]) -> f64) -> Vec<f64> {
    let mut best = (f64::INFINITY, Vec::new());
    for subset in subsets(x.len(), x.len() - f) {
        let cost = cost(&subset);
        if cost < best.0 * (1.0 - 1e-12) {
            best = (cost, subset);
        }
    }
    if best.1.is_empty() { mean_of(x, &(0..x.len() - f).collect::<Vec<_>>()) } else { mean_of(x, &best.1) }
}

pub fn diameter(x: &Rows, subset: &[usize]) -> f64 {
    let pairs = subset.iter().flat_map(|&i| subset.iter().map(move |&j| (i, j)));
    pairs.map(|(i, j)| distance(&x[i], &x[j])).fold(0.0, f64::max)
}

pub fn mda(x: &Rows, f: usize) -> Vec<f64> {
    best_subset(x, f, |s| diameter(x, s))
}

/// Row with trimming: the mean of the m - f rows nearest to the anchor; with `ties`, the form that keeps ties.
pub fn ctma(x: &Rows, f: usize, anchor: &[f64], ties: bool) -> Vec<f64> {
    let keep = x.len() - f;
    if !ties {
        return nearest_mean(x, anchor, keep);
    }
    let last = distance(&x[order_by(x.len(), |i| distance(&x[i], anchor))[keep - 1]], anchor);
    let kept: Vec<&Vec<f64>> = x.iter().filter(|r| distance(r, anchor) <= last).collect();
    let moved = |j: usize| kept.iter().map(|r| r[j] - anchor[j]).sum::<f64>() / keep as f64;
    (0..anchor.len()).map(|j| anchor[j] + moved(j)).collect()
}

/// Gradient splitting: the rows of the least sums, over the groups, of distances to what the rule makes of a group alone.
pub fn gas(
    x: &Rows,
    f: usize,
    rule: impl Fn(&Rows) -> Vec<f64>,
    groups: impl Fn(usize) -> Vec<Vec<usize>>,
) -> Vec<f64> {
    let mut scores = vec![0.0; x.len()];
    for group in groups(x[0].len()) {
        let part: Rows = x.iter().map(|r| group.iter().map(|&j| r[j]).collect()).collect();
        let centre = rule(&part);
        scores.iter_mut().zip(&part).for_each(|(score, r)| *score += distance(r, &centre));
    }
    mean_of(x, &order_by(x.len(), |i| scores[i])[..x.len() - f])
}

pub fn weighted_ctma(x: &Rows, s: &[f64], delta: f64, anchor: &[f64]) -> Vec<f64> {
    let room = (1.0 - delta) * s.iter().sum::<f64>();
    let (mut out, mut used) = (vec![0.0; anchor.len()], 0.0);
    for i in order_by(x.len(), |i| distance(&x[i], anchor)) {
        let part = if used + s[i] <= room { s[i] } else { (room - used).max(0.0) };
        out.iter_mut().zip(&x[i]).for_each(|(o, v)| *o += part * v / room);
        used += part;
    }
    out
}

/// The rows that Mean-Shift with a flat kernel puts into its largest cluster. Every row climbs to the mean of the rows
/// within the bandwidth, the mean over the rows of the distance to the k-th nearest (itself the first), until it moves
/// by no more than a thousandth of that; of modes within the bandwidth of each other the one with most rows around it
/// stays, on a tie that of the first row; a row belongs to the mode nearest to it.
pub fn largest_mean_shift(x: &Rows, k: usize) -> Vec<usize> {
    let kth = |i: usize| distance(&x[i], &x[order_by(x.len(), |j| distance(&x[i], &x[j]))[k.max(1) - 1]]);
    let bandwidth = average(&(0..x.len()).map(kth).collect::<Vec<_>>());
    let around = |point: &[f64]| -> Vec<usize> {
        (0..x.len()).filter(|&i| distance(&x[i], point) <= bandwidth).collect()
    };
    let climb = |i: usize| {
        let mut point = x[i].clone();
        loop {
            let next = mean_of(x, &around(&point));
            let moved = distance(&next, &point);
            point = next;
            if moved <= 1e-3 * bandwidth {
                return point;
            }
        }
    };
    let modes: Rows = (0..x.len()).map(climb).collect();
    let mut left = order_by(modes.len(), |i| -(around(&modes[i]).len() as f64));
    let mut kept: Vec<usize> = Vec::new();
    while !left.is_empty() {
        let best = left[0];
        kept.push(best);
        left.retain(|&i| distance(&modes[i], &modes[best]) > bandwidth);
    }
    let nearest = |i: usize| kept[order_by(kept.len(), |at| distance(&x[i], &modes[kept[at]]))[0]];
    let homes: Vec<usize> = (0..x.len()).map(nearest).collect();
    let size = |home: usize| homes.iter().filter(|other| **other == home).count();
    let largest = order_by(homes.len(), |i| -(size(homes[i]) as f64))[0];
    (0..homes.len()).filter(|&i| homes[i] == homes[largest]).collect()
}

/// The larger of the last two clusters of average linkage on cosine distances, each mean taken anew from all pairs.
pub fn larger_cluster(x: &Rows) -> Vec<usize> {
    let distances = cosine_distances(x);
    let mut clusters: Vec<Vec<usize>> = (0..x.len()).map(|i| vec![i]).collect();
    while clusters.len() > 2 {
        let mut best = (f64::INFINITY, 0, 0);
        for a in 0..clusters.len() {
            for b in a + 1..clusters.len() {
                let pairs = clusters[a].iter().flat_map(|&i| clusters[b].iter().map(move |&j| (i, j)));
                let linkage = average(&pairs.map(|(i, j)| distances[i][j]).collect::<Vec<_>>());
                if linkage < best.0 {
                    best = (linkage, a, b);
                }
            }
        }
        let gone = clusters.remove(best.2);
        clusters[best.1].extend(gone);
    }
    clusters.sort_by_key(|c| (usize::MAX - c.len(), *c.iter().min().unwrap()));
    let mut first = clusters.swap_remove(0);
    first.sort_unstable();
    first
}

/// 1 - cos of the angle between every two rows, by definition; parallel rows have 0 in spite of rounding.
pub fn cosine_distances(x: &Rows) -> Rows {
    let cosine =
        |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>() / (norm(a) * norm(b));
    let apart = |a: &[f64], b: &[f64]| Some(1.0 - cosine(a, b)).filter(|apart| *apart > 1e-15).unwrap_or(0.0);
    x.iter().map(|a| x.iter().map(|b| apart(a, b)).collect()).collect()
}

/// The clusters of HDBSCAN (Campello, Moulavi & Sander, 2013) with clusters of no fewer than `least` points, of which
/// all may be one: then, as in the library of McInnes, Healy & Astels, it holds the points that stay to the last.
pub fn hdbscan(distances: &Rows, min_samples: usize, least: usize) -> Vec<Vec<usize>> {
    let n = distances.len();
    let core = |i: usize| {
        let mut all: Vec<f64> = (0..n).map(|j| if i == j { 0.0 } else { distances[i][j] }).collect();
        all.sort_by(f64::total_cmp);
        all[min_samples - 1]
    };
    let core: Vec<f64> = (0..n).map(core).collect();
    let reach = |i: usize, j: usize| distances[i][j].max(core[i]).max(core[j]);
    let all = Cluster::grown((0..n).collect(), 0.0, least, &reach);
    if all.chosen.is_empty() { vec![all.last] } else { all.chosen }
}

/// A cluster of the condensed tree.
struct Cluster {
    /// Its excess of mass.
    stability: f64,
    /// The points that leave it last.
    last: Vec<usize>,
    /// The clusters inside it that are more stable together; none if it is itself.
    chosen: Vec<Vec<usize>>,
}

impl Cluster {
    /// The cluster of these points, which begins at density `birth`.
    fn grown(points: Vec<usize>, birth: f64, least: usize, reach: &impl Fn(usize, usize) -> f64) -> Self {
        let (mut left, mut stability) = (points, 0.0);
        loop {
            let level = connecting(&left, reach);
            let parts = components(&left, |i, j| reach(i, j) < level);
            let mut large: Vec<Vec<usize>> = parts.into_iter().filter(|part| part.len() >= least).collect();
            if left.len() > 1 && large.len() == 1 {
                let stays = large.remove(0);
                stability += (left.len() - stays.len()) as f64 * (1.0 / level - birth);
                left = stays;
                continue;
            }
            stability += left.len() as f64 * (1.0 / level - birth);
            let children: Vec<(Vec<usize>, Self)> = if left.len() == 1 { Vec::new() } else { large }
                .into_iter()
                .map(|part| (part.clone(), Self::grown(part, 1.0 / level, least, reach)))
                .collect();
            let inside: f64 = children.iter().map(|(_, child)| child.stability).sum();
            if inside <= stability {
                return Self { stability, last: left, chosen: Vec::new() };
            }
            let whole = |(part, child): (Vec<usize>, Self)| {
                if child.chosen.is_empty() { vec![part] } else { child.chosen }
            };
            return Self {
                stability: inside,
                last: left,
                chosen: children.into_iter().flat_map(whole).collect(),
            };
        }
    }
}

/// The least distance up to which the points hang together.
fn connecting(points: &[usize], reach: &impl Fn(usize, usize) -> f64) -> f64 {
    let (mut inside, mut outside, mut level) = (vec![points[0]], points[1..].to_vec(), 0.0f64);
    while !outside.is_empty() {
        let nearest = |j: usize| inside.iter().map(|&i| reach(i, j)).fold(f64::INFINITY, f64::min);
        let at = order_by(outside.len(), |at| nearest(outside[at]))[0];
        level = level.max(nearest(outside[at]));
        inside.push(outside.remove(at));
    }
    level
}

/// The parts of `points` that hang together by these edges.
fn components(points: &[usize], joined: impl Fn(usize, usize) -> bool) -> Vec<Vec<usize>> {
    let mut left = points.to_vec();
    let mut parts = Vec::new();
    while let Some(first) = left.pop() {
        let mut part = vec![first];
        let mut at = 0;
        while at < part.len() {
            let (near, far): (Vec<usize>, Vec<usize>) = left.iter().partition(|&&j| joined(part[at], j));
            part.extend(near);
            left = far;
            at += 1;
        }
        part.sort_unstable();
        parts.push(part);
    }
    parts
}

/// FLAME without noise.
pub fn flame(x: &Rows, min_samples: usize) -> Vec<f64> {
    let mut norms: Vec<f64> = x.iter().map(|r| norm(r)).collect();
    norms.sort_by(f64::total_cmp);
    let clusters = hdbscan(&cosine_distances(x), min_samples.min(x.len()), x.len() / 2 + 1);
    assert_eq!(clusters.len(), 1);
    mean_all(&clusters[0].iter().map(|&i| clipped(&x[i], midpoint(&norms))).collect())
}

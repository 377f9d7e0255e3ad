//! The largest of some clusters: Mean-Shift on points, average linkage and HDBSCAN on distances.

use super::order::{ascending, each};
use crate::Matrix;

/// The members, ascending, of the largest Mean-Shift cluster (flat kernel): every point climbs to the mean of the
/// points within the bandwidth until it stands still; the bandwidth is the mean over the points of the distance to
/// the `rank`-th nearest, itself the first. Points join the centre nearest to them, centres being merged, the ones
/// of most points first.
pub(super) fn mean_shift(points: &[Vec<f64>], rank: usize) -> Vec<usize> {
    let n = points.len();
    let reach = |p: &Vec<f64>| {
        let mut all: Vec<f64> = points.iter().map(|q| distance(p, q)).collect();
        all.sort_by(f64::total_cmp);
        all[rank.clamp(1, n) - 1]
    };
    let bandwidth = points.iter().map(reach).sum::<f64>() / n as f64;
    let within =
        |centre: &[f64]| (0..n).filter(|&i| distance(&points[i], centre) <= bandwidth).collect::<Vec<_>>();
    let mut centres: Vec<(Vec<f64>, usize)> = points
        .iter()
        .map(|p| {
            let mut centre = p.clone();
            for _ in 0..300 {
                let mean = mean(points, &within(&centre), &centre);
                let moved = distance(&mean, &centre);
                centre = mean;
                if moved <= 1e-3 * bandwidth {
                    break;
                }
            }
            let weight = within(&centre).len();
            (centre, weight)
        })
        .collect();
    centres.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight)); // stable: equal ones by index of their point
    let mut apart: Vec<Vec<f64>> = Vec::new();
    for (centre, _) in centres {
        if apart.iter().all(|other| distance(other, &centre) > bandwidth) {
            apart.push(centre);
        }
    }
    let nearest = |p: &Vec<f64>| {
        let distances = apart.iter().map(|c| distance(c, p)).enumerate();
        distances.min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(at, _)| at)
    };
    let labels: Vec<usize> = points.iter().map(nearest).collect();
    largest(&labels)
}

/// The members, ascending, of the larger of the two clusters that average linkage ends with.
pub(super) fn larger_of_two(distances: &Matrix) -> Vec<usize> {
    let n = distances.rows();
    let mut between = distances.clone();
    let mut labels: Vec<usize> = (0..n).collect();
    let mut sizes = vec![1usize; n];
    for _ in 2..n {
        let heads: Vec<usize> = (0..n).filter(|&i| sizes[i] > 0).collect();
        let pairs =
            heads.iter().enumerate().flat_map(|(at, &i)| heads[at + 1..].iter().map(move |&j| (i, j)));
        let Some((a, b)) = pairs.min_by(|x, y| between[*x].total_cmp(&between[*y])) else {
            break;
        };
        let (s, t) = (sizes[a] as f64, sizes[b] as f64);
        for &k in &heads {
            let joined = (s * between[(a, k)] + t * between[(b, k)]) / (s + t);
            between[(a, k)] = joined;
            between[(k, a)] = joined;
        }
        sizes[a] += std::mem::take(&mut sizes[b]);
        labels.iter_mut().filter(|l| **l == b).for_each(|l| *l = a);
    }
    largest(&labels)
}

/// The members, ascending, of the cluster of HDBSCAN where a cluster holds more than half of the points and one alone
/// is allowed; the core distance of a point is that to its `min_samples`-th nearest, itself the first.
///
/// Of the parts into which a threshold on the mutual reachability distance cuts the points, one at most holds more than
/// half. So nothing ever splits into two clusters: as the threshold sinks, points leave the one that holds all, until what
/// is left of it falls apart into parts that are too small. Of a cluster that is alone, HDBSCAN keeps those that stay
/// to the last. With the threshold rising from zero, these are the first majority that single linkage joins, with
/// all that join at the same distance.
pub(super) fn majority(distances: &Matrix, min_samples: usize) -> Vec<usize> {
    let n = distances.rows();
    let core: Vec<f64> = each(n, |i| {
        let row = distances.row(i);
        row[ascending(row)[min_samples.clamp(1, n) - 1]]
    });
    let reachability = |i: usize, j: usize| distances[(i, j)].max(core[i]).max(core[j]);
    let mut labels: Vec<usize> = (0..n).collect();
    let mut sizes = vec![1usize; n];
    let mut threshold = f64::INFINITY;
    for (length, i, j) in spanning_tree(n, reachability) {
        if length > threshold {
            break;
        }
        let (kept, gone) = (labels[i], labels[j]);
        sizes[kept] += std::mem::take(&mut sizes[gone]);
        labels.iter_mut().filter(|l| **l == gone).for_each(|l| *l = kept);
        if sizes[kept] > n / 2 {
            threshold = length;
        }
    }
    largest(&labels)
}

/// The edges (length, i, j) of a minimum spanning tree of n points, the shortest first: all that single linkage joins.
fn spanning_tree(n: usize, length: impl Fn(usize, usize) -> f64) -> Vec<(f64, usize, usize)> {
    let mut nearest: Vec<(f64, usize)> = (0..n).map(|j| (length(0, j), 0)).collect();
    let mut outside: Vec<usize> = (1..n).collect();
    let mut edges = Vec::with_capacity(n);
    while let Some(at) =
        (0..outside.len()).min_by(|&a, &b| nearest[outside[a]].0.total_cmp(&nearest[outside[b]].0))
    {
        let next = outside.swap_remove(at);
        edges.push((nearest[next].0, nearest[next].1, next));
        for &j in &outside {
            let shorter = length(next, j);
            if shorter < nearest[j].0 {
                nearest[j] = (shorter, next);
            }
        }
    }
    edges.sort_by(|a, b| a.0.total_cmp(&b.0));
    edges
}

/// The members of the label that most have; of equals the one that comes first.
fn largest(labels: &[usize]) -> Vec<usize> {
    let members = |label: usize| (0..labels.len()).filter(|&i| labels[i] == label).collect::<Vec<_>>();
    let mut best = Vec::new();
    for &label in labels {
        let own = members(label);
        if own.len() > best.len() {
            best = own;
        }
    }
    best
}

fn mean(points: &[Vec<f64>], of: &[usize], otherwise: &[f64]) -> Vec<f64> {
    if of.is_empty() {
        return otherwise.to_vec();
    }
    (0..otherwise.len()).map(|k| of.iter().map(|&i| points[i][k]).sum::<f64>() / of.len() as f64).collect()
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y).powi(2)).sum::<f64>().sqrt()
}

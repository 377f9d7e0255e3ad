//! Coordinates dealt to groups.

/// Which group each coordinate is in.
#[derive(Clone, Debug)]
pub(crate) struct Groups {
    of: Vec<u32>,
    count: usize,
}

impl Groups {
    /// `places`, a permutation of all coordinates, cut into as many pieces, whose sizes differ by one at most; in pieces of
    /// one if there are no more coordinates.
    pub(crate) fn cut(places: &[usize], count: usize) -> Self {
        let (d, count) = (places.len(), count.min(places.len()));
        let mut of = vec![0; d];
        for i in 0..count {
            places[i * d / count..(i + 1) * d / count].iter().for_each(|&place| of[place] = i as u32);
        }
        Self { of, count }
    }

    /// The group of every coordinate.
    pub(super) fn of(&self) -> &[u32] {
        &self.of
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The coordinates of each, ascending.
    pub(crate) fn members(&self) -> Vec<Vec<usize>> {
        let mut members = vec![Vec::with_capacity(self.of.len().div_ceil(self.count)); self.count];
        self.of.iter().enumerate().for_each(|(place, &group)| members[group as usize].push(place));
        members
    }
}

#[cfg(test)]
mod tests {
    use rand::seq::SliceRandom;

    use super::Groups;
    use crate::random::Seed;

    #[test]
    fn every_coordinate_is_in_one_of_the_groups_and_they_are_of_one_size() {
        let mut rng = Seed(1).stream("test", 0, "groups", 1);
        for (d, count) in [(1, 1), (10, 3), (10, 6), (10, 10), (3, 8), (1000, 7)] {
            let mut places: Vec<usize> = (0..d).collect();
            places.shuffle(&mut rng);
            let groups = Groups::cut(&places, count);
            let members = groups.members();
            assert_eq!((members.len(), groups.count()), (count.min(d), count.min(d)));
            let sizes: Vec<usize> = members.iter().map(Vec::len).collect();
            assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1, "{sizes:?}");
            assert!(members.iter().all(|group| group.is_sorted()));
            let at_hand =
                |(i, group): (usize, &Vec<usize>)| group.iter().all(|&j| groups.of()[j] as usize == i);
            assert!(members.iter().enumerate().all(at_hand), "{d} in {count}");
            let mut all = members.concat();
            all.sort_unstable();
            assert!(all.into_iter().eq(0..d), "{d} in {count}");
        }
    }
}

//! Where the parameter tensors of a model lie in the vectors, for rules that go by them. Whoever plans a run knows the
//! model, and tells the defence once; nothing here knows of models.

use std::{ops::Range, sync::Arc};

/// One parameter tensor, as coordinates of a vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What its model calls it, such as `3.weight`.
    pub name: String,
    /// Its coordinates, of which there is at least one.
    pub range: Range<usize>,
}

impl Block {
    /// The layer that it belongs to, `3` of `3.weight`; a name without a dot is a layer of its own.
    pub fn layer(&self) -> &str {
        self.name.rsplit_once('.').map_or(&self.name, |(layer, _)| layer)
    }
}

/// The parameter tensors of a model, one behind the other. Cloning is cheap.
///
/// ```
/// use phalanx_robust::Layout;
///
/// let layout = Layout::new([("0.weight", 12), ("0.bias", 3), ("2.weight", 6), ("2.bias", 2)]);
/// assert_eq!(layout.d(), 23);
/// assert_eq!(layout.blocks()[1].range, 12..15);
/// assert_eq!(layout.last_layer(), 15..23);
/// assert_eq!(Layout::whole(23).last_layer(), 0..23);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    blocks: Arc<[Block]>,
}

impl Layout {
    /// Tensors of these names and numbers of coordinates, in this order; those without coordinates are left out.
    pub fn new(tensors: impl IntoIterator<Item = (impl Into<String>, usize)>) -> Self {
        let tensors = tensors.into_iter().filter(|(_, length)| *length > 0);
        let next = |end: &mut usize, (name, length): (_, usize)| {
            let start = std::mem::replace(end, end.saturating_add(length));
            Some((name, start..*end))
        };
        let blocks = tensors.scan(0, next).map(|(name, range)| Block { name: name.into(), range });
        Self { blocks: blocks.collect() }
    }

    /// All d coordinates in one block: what no model has parted, such as the point of a convex task.
    pub fn whole(d: usize) -> Self {
        Self::new([("all", d)])
    }

    /// Number of coordinates.
    pub fn d(&self) -> usize {
        self.blocks.last().map_or(0, |block| block.range.end)
    }

    /// The tensors.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// The coordinates of the last layer: of the last tensor, and of those before it that belong to the same layer.
    pub fn last_layer(&self) -> Range<usize> {
        let layer = self.blocks.last().map(Block::layer);
        let of_it = self.blocks.iter().rev().take_while(|block| Some(block.layer()) == layer);
        of_it.last().map_or(0, |first| first.range.start)..self.d()
    }
}

#[cfg(test)]
mod tests {
    use super::Layout;

    #[test]
    fn the_last_layer_has_all_tensors_of_its_name() {
        let of = |tensors: &[(&str, usize)]| Layout::new(tensors.iter().copied()).last_layer();
        assert_eq!(of(&[("8.conv1.weight", 4), ("8.bias", 1), ("9.weight", 5)]), 5..10);
        assert_eq!(of(&[("8.conv1.weight", 4), ("8.conv2.weight", 3), ("8.conv2.bias", 1)]), 4..8);
        assert_eq!(of(&[("weight", 4), ("bias", 1)]), 4..5);
        assert_eq!(of(&[("1", 4), ("2", 2), ("1", 1)]), 6..7);
        assert_eq!(of(&[]), 0..0);
    }

    #[test]
    fn a_tensor_without_coordinates_is_none() {
        let layout = Layout::new([("a", 0), ("b", 2), ("c", 0)]);
        assert_eq!(layout.blocks().len(), 1);
        assert_eq!((layout.blocks()[0].name.as_str(), layout.d()), ("b", 2));
        assert_eq!(Layout::new([("a", usize::MAX), ("b", 2)]).d(), usize::MAX);
    }
}

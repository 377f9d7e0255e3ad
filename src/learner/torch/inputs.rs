//! From pixels to the input of a pass: gathering, augmentation and normalisation, for a whole tile of workers at once. On
//! the CPU the pixels stay in memory; on another device they lie there ([`Resident`]).

use std::ops::Range;

use phalanx_actors::learner::Draw;
use rand::RngExt;
use tch::{Device, Kind, TchError, Tensor, kind::Element};

use super::{
    kernels::{self, Real},
    resident::Resident,
};
use crate::data::{Augmentation, Images, Normalisation};

/// Images and what makes inputs of them. Cloning is cheap but for a table of 256 values a channel.
#[derive(Clone, Debug)]
pub(super) struct Inputs {
    pub images: Images,
    table: Table,
    augmentation: Augmentation,
    kind: Kind,
    /// The images on the device, if that is not the CPU.
    resident: Option<Resident>,
}

/// The input that a pixel becomes: 256 values a channel.
#[derive(Clone, Debug)]
enum Table {
    F32(Vec<f32>),
    F64(Vec<f64>),
}

/// One image to be gathered, and how it is shifted and mirrored.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pick {
    pub index: usize,
    pub down: isize,
    pub right: isize,
    pub mirrored: bool,
}

impl Pick {
    /// The picked image, in `cut` if it is shifted or mirrored: row by row, so that pixels become values as fast as those
    /// of an image as it is. What a shift brings in from outside is black.
    fn image<'a>(&self, images: &'a Images, cut: &'a mut Vec<u8>) -> &'a [u8] {
        let image = images.image(self.index);
        if self.down == 0 && self.right == 0 && !self.mirrored {
            return image;
        }
        let (height, width) = (images.height, images.width);
        let black = self.right.unsigned_abs().min(width);
        let (from, to) = if self.right < 0 { (0, black) } else { (black, 0) };
        let seen = width - black;
        cut.clear();
        cut.resize(image.len(), 0);
        for (plane, cut) in image.chunks_exact(height * width).zip(cut.chunks_exact_mut(height * width)) {
            for (y, cut) in cut.chunks_exact_mut(width).enumerate() {
                let Some(y) = y.checked_add_signed(self.down).filter(|&y| y < height) else { continue };
                cut[to..][..seen].copy_from_slice(&plane[y * width + from..][..seen]);
                if self.mirrored {
                    cut.reverse();
                }
            }
        }
        cut
    }
}

/// Where a value lies in the input of a pass.
struct Layout {
    sample: usize,
    worker: usize,
    channel: usize,
    pixel: usize,
}

impl Table {
    fn tensor(&self) -> Result<Tensor, TchError> {
        match self {
            Self::F32(values) => Tensor::f_from_slice(values),
            Self::F64(values) => Tensor::f_from_slice(values),
        }
    }
}

impl Inputs {
    /// The images for passes on `device`, in this format of activations.
    pub fn new(
        images: Images,
        normalisation: &Normalisation,
        augmentation: Augmentation,
        kind: Kind,
        device: Device,
    ) -> Result<Self, TchError> {
        let values = normalisation.mean.iter().zip(&normalisation.std).flat_map(|(&mean, &std)| {
            (0..=255u8).map(move |pixel| (f64::from(pixel) / 255.0 - f64::from(mean)) / f64::from(std))
        });
        let table = match kind {
            Kind::Double => Table::F64(values.collect()),
            _ => Table::F32(values.map(|v| v as f32).collect()),
        };
        let there = || Resident::new(&images, &table.tensor()?.to_kind(kind), device);
        let resident = if device == Device::Cpu { None } else { Some(there()?) };
        Ok(Self { images, table, augmentation, kind, resident })
    }

    /// The samples of a worker's draw, as its stream shifts and mirrors them.
    pub fn picks(&self, draw: &Draw) -> Vec<Pick> {
        let mut rng = draw.rng.clone();
        let pick = |&index: &usize| match self.augmentation {
            Augmentation::None => Pick { index, ..Pick::default() },
            Augmentation::CropFlip { padding } => {
                let mut shift = || rng.random_range(0..=2 * padding) as isize - padding as isize;
                Pick { index, down: shift(), right: shift(), mirrored: rng.random() }
            }
        };
        draw.indices.iter().map(pick).collect()
    }

    /// The samples as they are.
    pub fn plain(samples: Range<usize>) -> Vec<Pick> {
        samples.map(|index| Pick { index, ..Pick::default() }).collect()
    }

    /// The labels of these samples.
    pub fn labels(&self, picks: &[Pick]) -> Vec<i64> {
        picks.iter().map(|pick| i64::from(self.images.labels[pick.index])).collect()
    }

    /// The inputs `[b, H, W, C]` of one worker, for the kernels.
    pub fn gather_one<T: Real>(&self, picks: &[Pick]) -> Vec<T> {
        let images = &self.images;
        let mut out = kernels::input(picks.len() * images.image_len());
        let layout = Layout { sample: images.image_len(), worker: 0, channel: 1, pixel: images.channels };
        let table: Vec<T> = match &self.table {
            Table::F32(table) => table.iter().map(|&v| T::from_f64(v.into())).collect(),
            Table::F64(table) => table.iter().map(|&v| T::from_f64(v)).collect(),
        };
        place_all(images, &table, &[picks], &layout, &mut out);
        out
    }

    /// The inputs `[b, g * C, H, W]` of g workers with b samples each, in the format of activations.
    pub fn gather(&self, workers: &[Vec<Pick>]) -> Result<Tensor, TchError> {
        if let Some(resident) = &self.resident {
            return resident.gather(workers, self.augmentation != Augmentation::None);
        }
        let (groups, batch) = (workers.len(), workers.first().map_or(0, Vec::len));
        let Images { channels, height, width, .. } = self.images;
        let pixels = height * width;
        // Below double precision oneDNN is fastest with the channels innermost.
        let innermost = matches!(self.table, Table::F32(_));
        let layout = if innermost {
            let pixel = groups * channels;
            Layout { sample: pixels * pixel, worker: channels, channel: 1, pixel }
        } else {
            let worker = channels * pixels;
            Layout { sample: groups * worker, worker, channel: pixels, pixel: 1 }
        };
        let flat = match &self.table {
            Table::F32(table) => Tensor::f_from_slice(&gathered(&self.images, table, workers, &layout))?,
            Table::F64(table) => Tensor::f_from_slice(&gathered(&self.images, table, workers, &layout))?,
        };
        let [b, gc, h, w] = [batch, groups * channels, height, width].map(|n| n as i64);
        let x = if innermost {
            flat.f_reshape([b, h, w, gc])?.f_permute([0, 3, 1, 2])?
        } else {
            flat.f_reshape([b, gc, h, w])?
        };
        Ok(x.to_kind(self.kind))
    }
}

fn gathered<T: Element + Copy + Default>(
    images: &Images,
    table: &[T],
    workers: &[Vec<Pick>],
    layout: &Layout,
) -> Vec<T> {
    let samples: usize = workers.iter().map(Vec::len).sum();
    let mut out = vec![T::default(); samples * images.image_len()];
    place_all(images, table, workers, layout, &mut out);
    out
}

fn place_all<T: Copy>(
    images: &Images,
    table: &[T],
    workers: &[impl AsRef<[Pick]>],
    layout: &Layout,
    out: &mut [T],
) {
    let mut cut = Vec::new();
    for (worker, picks) in workers.iter().enumerate() {
        for (sample, pick) in picks.as_ref().iter().enumerate() {
            let image = pick.image(images, &mut cut);
            place(images, image, table, layout, &mut out[sample * layout.sample + worker * layout.worker..]);
        }
    }
}

/// Writes one image to where it belongs.
fn place<T: Copy>(images: &Images, image: &[u8], table: &[T], layout: &Layout, out: &mut [T]) {
    let planes = image.chunks_exact(images.height * images.width);
    for (c, (plane, table)) in planes.zip(table.chunks_exact(256)).enumerate() {
        let out = out[c * layout.channel..].iter_mut().step_by(layout.pixel);
        out.zip(plane).for_each(|(value, &pixel)| *value = table[usize::from(pixel)]);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Augmentation, Device, Images, Inputs, Kind, Normalisation, Pick, Resident};
    use crate::learner::torch::convert;

    fn inputs(kind: Kind) -> Inputs {
        let images = Images {
            channels: 2,
            height: 2,
            width: 3,
            classes: 2,
            pixels: Arc::new((0..24).collect()),
            labels: Arc::new(vec![0, 1]),
        };
        let normalisation = Normalisation { mean: vec![0.0, 1.0 / 255.0], std: vec![1.0 / 255.0; 2] };
        Inputs::new(images, &normalisation, Augmentation::None, kind, Device::Cpu).unwrap()
    }

    /// The same, as on a device of its own.
    fn resident(kind: Kind) -> Resident {
        let inputs = inputs(kind);
        Resident::new(&inputs.images, &inputs.table.tensor().unwrap().to_kind(kind), Device::Cpu).unwrap()
    }

    #[test]
    fn both_layouts_hold_the_same() {
        let workers =
            [vec![Pick { index: 1, ..Pick::default() }], vec![Pick { index: 0, ..Pick::default() }]];
        let expected: Vec<f64> = (12..18).chain(17..23).chain(0..6).chain(5..11).map(f64::from).collect();
        for kind in [Kind::Float, Kind::Double] {
            let x = inputs(kind).gather(&workers).unwrap();
            assert_eq!(x.size(), [1, 4, 2, 3]);
            for (got, want) in convert::values(&x).iter().zip(&expected) {
                assert!((got - want).abs() < 1e-4, "{got} {want}");
            }
        }
    }

    /// Pixel by pixel, as it is said: shifted, then mirrored.
    #[test]
    fn every_shift_and_mirror_is_that_of_its_pixels() {
        let inputs = inputs(Kind::Double);
        let [height, width] = [2isize, 3];
        for (down, right) in (-3..=3).flat_map(|down| (-4..=4).map(move |right| (down, right))) {
            for mirrored in [false, true] {
                let pick = Pick { index: 1, down, right, mirrored };
                let found = convert::values(&inputs.gather(&[vec![pick]]).unwrap());
                let pixel = |at: isize| {
                    let (c, y, x) = (at / (height * width), at / width % height, at % width);
                    let x = if mirrored { width - 1 - x } else { x };
                    let (y, x) = (y + down, x + right);
                    let inside = (0..height).contains(&y) && (0..width).contains(&x);
                    let pixel = if inside { 12 + c * height * width + y * width + x } else { 0 };
                    // The second channel has a mean of one.
                    (pixel - c) as f64
                };
                let expected: Vec<f64> = (0..2 * height * width).map(pixel).collect();
                for (found, expected) in found.iter().zip(&expected) {
                    assert!((found - expected).abs() < 1e-4, "{pick:?}: {found} {expected}");
                }
            }
        }
    }

    #[test]
    fn a_shift_brings_black_in_and_a_mirror_turns_the_cut_image() {
        let pick = Pick { index: 0, down: 1, right: -1, mirrored: true };
        let x = convert::values(&inputs(Kind::Double).gather(&[vec![pick]]).unwrap());
        // Row 1 of channel 0 is 3 4 5; cut one to the left it is 0 3 4, mirrored 4 3 0; then black.
        for (got, want) in x.iter().zip([4.0, 3.0, 0.0, 0.0, 0.0, 0.0, 9.0, 8.0, -1.0, -1.0, -1.0, -1.0]) {
            assert!((got - want).abs() < 1e-4, "{x:?}");
        }
    }
    /// Of two workers, with every shift and mirror.
    #[test]
    fn a_device_makes_the_same_inputs_as_memory_does() {
        let moves = (-3..=3).flat_map(|down| (-4..=4).map(move |right| (down, right)));
        let pick = |index, (down, right)| Pick { index, down, right, mirrored: (down + right) % 2 == 0 };
        let moved: Vec<Pick> = moves.map(|by| pick(1, by)).collect();
        let still: Vec<Pick> = (0..moved.len()).map(|i| Pick { index: i % 2, ..Pick::default() }).collect();
        for kind in [Kind::Float, Kind::Double, Kind::BFloat16] {
            let here = |workers: &[Vec<Pick>]| convert::values(&inputs(kind).gather(workers).unwrap());
            let there = |workers: &[Vec<Pick>], moved| {
                let x = resident(kind).gather(workers, moved).unwrap();
                assert_eq!(x.kind(), kind);
                convert::values(&x)
            };
            let still = [still.clone(), still.iter().rev().copied().collect()];
            assert_eq!(there(&still, false), here(&still), "{kind:?}");
            let moved = [moved.clone(), moved.iter().rev().copied().collect()];
            assert_eq!(there(&moved, true), here(&moved), "{kind:?}");
        }
    }
}

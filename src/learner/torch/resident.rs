//! Images that lie on a device. A pass takes them by their numbers, so that a round sends numbers there, not pixels.

use phalanx_robust::{Shared, to_device};
use tch::{Device, Kind, TchError, Tensor};

use super::inputs::Pick;
use crate::data::Images;

/// Images on a device, and what makes inputs of them.
#[derive(Clone, Debug)]
pub(super) struct Resident {
    /// `[N, C * H * W]`, bytes.
    pixels: Shared,
    /// `[C * 256]`: the input that a pixel becomes, in the format of activations.
    table: Shared,
    /// C, H and W.
    size: [i64; 3],
}

impl Resident {
    /// These images on `device`; `table` is on the host, 256 values a channel.
    pub fn new(images: &Images, table: &Tensor, device: Device) -> Result<Self, TchError> {
        let size = [images.channels, images.height, images.width].map(|n| n as i64);
        let pixels = Tensor::f_from_slice(&images.pixels)?.f_reshape([-1, images.image_len() as i64])?;
        let there =
            |host: &Tensor| Ok::<_, TchError>(host.f_to_device_(device, host.kind(), false, false)?.into());
        Ok(Self { pixels: there(&pixels)?, table: there(table)?, size })
    }

    /// The inputs `[b, g * C, H, W]` of g workers with b samples each; `moved` if any may be shifted or mirrored.
    pub fn gather(&self, workers: &[Vec<Pick>], moved: bool) -> Result<Tensor, TchError> {
        let batch = workers.first().map_or(0, Vec::len);
        let picks = (0..batch).flat_map(|sample| workers.iter().map(move |picks| picks[sample]));
        let pixels = if moved { self.moved(picks)? } else { self.still(picks)? };
        let [channels, height, width] = self.size;
        let device = self.table.tensor().device();
        let first = Tensor::f_arange_start_step(0, 256 * channels, 256, (Kind::Int, device))?;
        let entries = pixels.to_kind(Kind::Int).f_add(&first.f_view([channels, 1])?)?;
        let values = self.table.tensor().f_index_select(0, &entries.f_flatten(0, -1)?)?;
        values.f_view([batch as i64, workers.len() as i64 * channels, height, width])
    }

    /// The pixels `[n, C, H * W]` of images as they are.
    fn still(&self, picks: impl Iterator<Item = Pick>) -> Result<Tensor, TchError> {
        let numbers: Vec<i64> = picks.map(|pick| pick.index as i64).collect();
        let [channels, height, width] = self.size;
        let pixels = self.pixels.tensor().f_index_select(0, &self.there(&Tensor::f_from_slice(&numbers)?))?;
        pixels.f_view([-1, channels, height * width])
    }

    /// The pixels `[n, C, H * W]` of images shifted and mirrored; what a shift brings in from outside is black.
    fn moved(&self, picks: impl Iterator<Item = Pick>) -> Result<Tensor, TchError> {
        let [channels, height, width] = self.size;
        let rows = picks.flat_map(|pick| {
            [pick.index as i64, pick.down as i64, pick.right as i64, i64::from(pick.mirrored)]
        });
        let rows = self.there(&Tensor::f_from_slice(&rows.collect::<Vec<i64>>())?.f_view([-1, 4])?);
        let column = |at: i64| rows.f_narrow(1, at, 1);
        let count = |n: i64| Tensor::f_arange(n, (Kind::Int64, rows.device()));
        // `[n, H]` and `[n, W]`: where a pixel comes from; mirroring takes x to W - 1 - x.
        let y = count(height)?.f_add(&column(1)?)?;
        let x = count(width)?;
        let turned = (x.f_mul_scalar(-2)?.f_add_scalar(width - 1)?).f_mul(&column(3)?)?;
        let x = turned.f_add(&x)?.f_add(&column(2)?)?;
        let inside = |at: &Tensor, n: i64| at.f_ge(0)?.f_logical_and(&at.f_lt(n)?);
        let seen = inside(&y, height)?.f_unsqueeze(2)?.f_logical_and(&inside(&x, width)?.f_unsqueeze(1)?)?;
        let (y, x) = (y.f_clamp(0, height - 1)?, x.f_clamp(0, width - 1)?);
        let pixel = y.f_mul_scalar(width)?.f_unsqueeze(2)?.f_add(&x.f_unsqueeze(1)?)?.f_flatten(1, 2)?;
        let plane = count(channels)?.f_mul_scalar(height * width)?.f_unsqueeze(1)?;
        let image = column(0)?.f_mul_scalar(channels * height * width)?.f_unsqueeze(2)?;
        let at = image.f_add(&plane)?.f_add(&pixel.f_unsqueeze(1)?)?;
        self.pixels.tensor().f_take(&at)?.f_mul(&seen.f_flatten(1, 2)?.f_unsqueeze(1)?)
    }

    /// Values of the host on the device.
    fn there(&self, host: &Tensor) -> Tensor {
        to_device(host, self.pixels.tensor().device())
    }
}

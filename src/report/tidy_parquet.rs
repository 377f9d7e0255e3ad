//! The tidy table as a Parquet file, if the feature `parquet` is on.

#[cfg(not(feature = "parquet"))]
mod absent {
    use std::path::Path;

    use crate::report::{ReportError, Tidy};

    impl Tidy {
        /// Whether this program can write Parquet.
        pub const HAS_PARQUET: bool = false;

        /// Cannot be done by this program.
        ///
        /// # Errors
        /// [`ReportError::NoParquet`].
        pub fn write_parquet(&self, _: &Path) -> Result<(), ReportError> {
            Err(ReportError::NoParquet)
        }
    }
}

#[cfg(feature = "parquet")]
mod writer {
    use std::{
        io::{Error, Write},
        path::Path,
        sync::Arc,
    };

    use parquet::{
        basic::{LogicalType, Repetition, Type as Physical},
        data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type},
        errors::ParquetError,
        file::{properties::WriterProperties, writer::SerializedFileWriter},
        schema::types::Type,
    };

    use crate::{
        report::{ReportError, Tidy, Values, tidy},
        results::ResultsError,
        whole,
    };

    impl Tidy {
        /// Whether this program can write Parquet.
        pub const HAS_PARQUET: bool = true;

        /// Writes it as Parquet, uncompressed; a number that is not there is null.
        ///
        /// # Errors
        /// [`ReportError::Write`].
        pub fn write_parquet(&self, path: &Path) -> Result<(), ReportError> {
            tidy::make_room(path)?;
            let written = whole::write(path, |file| self.write_to(file).map_err(Error::other));
            Ok(written.map_err(ResultsError::at(path))?)
        }

        fn write_to(&self, file: impl Write + Send) -> Result<(), ParquetError> {
            let fields = self.columns.iter().map(|(name, values)| Ok(Arc::new(field(name, values)?)));
            let fields = fields.collect::<Result<Vec<_>, ParquetError>>()?;
            let schema = Arc::new(Type::group_type_builder("tidy").with_fields(fields).build()?);
            let mut writer = SerializedFileWriter::new(file, schema, Arc::new(WriterProperties::default()))?;
            let mut group = writer.next_row_group()?;
            for (_, values) in &self.columns {
                let Some(mut column) = group.next_column()? else { break };
                match values {
                    Values::Text(texts) => {
                        let texts: Vec<ByteArray> = texts.iter().map(|text| text.as_str().into()).collect();
                        column.typed::<ByteArrayType>().write_batch(&texts, None, None)?;
                    }
                    Values::Whole(numbers) => {
                        let numbers: Vec<i64> = numbers.iter().map(|&number| number as i64).collect();
                        column.typed::<Int64Type>().write_batch(&numbers, None, None)?;
                    }
                    Values::Real(numbers) => {
                        let present: Vec<i16> =
                            numbers.iter().map(|number| i16::from(!number.is_nan())).collect();
                        let known: Vec<f64> =
                            numbers.iter().copied().filter(|number| !number.is_nan()).collect();
                        column.typed::<DoubleType>().write_batch(&known, Some(&present), None)?;
                    }
                }
                column.close()?;
            }
            group.close()?;
            writer.close()?;
            Ok(())
        }
    }

    fn field(name: &str, values: &Values) -> Result<Type, ParquetError> {
        let (physical, repetition, logical) = match values {
            Values::Text(_) => (Physical::BYTE_ARRAY, Repetition::REQUIRED, Some(LogicalType::String)),
            Values::Whole(_) => (Physical::INT64, Repetition::REQUIRED, None),
            Values::Real(_) => (Physical::DOUBLE, Repetition::OPTIONAL, None),
        };
        Type::primitive_type_builder(name, physical)
            .with_repetition(repetition)
            .with_logical_type(logical)
            .build()
    }
}

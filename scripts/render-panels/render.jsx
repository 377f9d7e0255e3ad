// Draws every panel of data.json with Grafana's TimeSeries component, in the options of our dashboard.
import React from 'react';
import { createRoot } from 'react-dom/client';
import { FieldType, ThemeContext, createTheme, getDisplayProcessor, toDataFrame } from '@grafana/data';
import { GlobalStyles, LegendDisplayMode, TimeSeries } from '@grafana/ui';
import data from './data.json';

const theme = createTheme({ colors: { mode: 'light' } });
const WIDTH = 410;
const HEIGHT = 225;

/** The configuration of one series: the panel's, with what is overridden by name. */
function config({ defaults, overrides }, name) {
  const merged = { ...defaults, displayName: name, custom: { ...defaults.custom } };
  for (const { id, value } of overrides.filter(({ matcher }) => matcher.options === name).flatMap((o) => o.properties)) {
    if (id.startsWith('custom.')) merged.custom[id.slice('custom.'.length)] = value;
    else merged[id] = value;
  }
  return merged;
}

/** One frame a series. */
function frames({ panel, series }) {
  return series.map(({ name, values }, seriesIndex) => {
    const times = values.map(([time]) => time);
    const numbers = values.map(([, value]) => value);
    const frame = toDataFrame({
      fields: [
        { name: 'Time', type: FieldType.time, values: times },
        { name: 'Value', type: FieldType.number, values: numbers, config: config(panel.fieldConfig, name) },
      ],
    });
    const field = frame.fields[1];
    field.state = { seriesIndex, displayName: name };
    field.display = getDisplayProcessor({ field, theme, timeZone: 'utc' });
    return frame;
  });
}

function Panel(props) {
  const { title } = props.panel;
  return (
    <div style={{ width: WIDTH, padding: 8, border: '1px solid #d8d9dd', borderRadius: 2, background: '#fff' }}>
      <div style={{ fontWeight: 500, fontSize: 14, marginBottom: 6 }}>{title}</div>
      <TimeSeries
        frames={frames(props)}
        width={WIDTH - 16}
        height={HEIGHT}
        timeRange={{ from: { valueOf: () => data.start }, to: { valueOf: () => data.end } }}
        timeZone="utc"
        legend={{ displayMode: LegendDisplayMode.List, placement: 'bottom', calcs: [], showLegend: true }}
      />
    </div>
  );
}

createRoot(document.getElementById('root')).render(
  <ThemeContext.Provider value={theme}>
    <GlobalStyles />
    <div style={{ display: 'flex', flexWrap: 'wrap', gap: 8, padding: 8, width: 3 * WIDTH + 32, background: '#f4f5f5' }}>
      {data.panels.map((drawn) => (
        <Panel key={drawn.panel.title} {...drawn} />
      ))}
    </div>
  </ThemeContext.Provider>
);

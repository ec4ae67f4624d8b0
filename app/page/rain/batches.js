// Many hours in requests the service accepts.

const MOST_HOURS = 256;
const MOST_SCANS = 4500; // keeps a body of full scans below 4 MiB

/** Hours in their order, in groups of at most so many hours and scans. */
export function batches(hours) {
  const groups = [];
  let scans = Infinity;
  for (const hour of hours) {
    scans += hour.scans.length;
    if (scans > MOST_SCANS || groups.at(-1).length === MOST_HOURS) {
      groups.push([]);
      scans = hour.scans.length;
    }
    groups.at(-1).push(hour);
  }
  return groups;
}

export const asSent = ({ radardist_km, scans }) => ({ radardist_km, scans });

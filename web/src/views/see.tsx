/** See */
export function See() {
  return <h1>See</h1>;
}

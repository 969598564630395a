/** Starts the page. */
import { render } from 'preact';
import { attempt, begin } from './actions';
import { App } from './app';
import './style.css';

render(<App />, document.getElementById('app') as HTMLElement);
attempt(begin);

if (!__ONE_FILE__ && import.meta.env.PROD && 'serviceWorker' in navigator && location.protocol.startsWith('http')) {
  navigator.serviceWorker.register('service-worker.js').catch(() => {
    // a browser that keeps no files: the page works while there is a network
  });
}

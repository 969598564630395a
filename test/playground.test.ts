// The playground in Chromium, used as a person would, every number compared with the library's or the terminal's own.
// With MICROGPT_SCREENSHOTS=1 it also renews the pictures in docs/playground/. One browser and one build serve all of it.
import { NO_BROWSER } from './chromium.js';
import { describeFullWith } from './needs.js';
import { detailTests } from './playground/details.js';
import { firstSightTests } from './playground/first-sight.js';
import { keepingTests } from './playground/keeping.js';
import { setUpPlayground } from './playground/set-up.js';
import { trainingTests } from './playground/training.js';
import { viewTests } from './playground/views.js';

describeFullWith(NO_BROWSER, 'the playground', () => {
  const playground = setUpPlayground();
  trainingTests(playground);
  keepingTests(playground);
  viewTests(playground);
  detailTests(playground);
  firstSightTests(playground);
});

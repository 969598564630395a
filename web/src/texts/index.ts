/** The language of the page. For another one: write its file beside en.ts and choose here by `navigator.language`. */
export { en as t } from './en';
export { glossary, type Term } from './glossary';
export { type Lesson, lessons } from './lessons';
export { remedies, warnings } from './problems';
